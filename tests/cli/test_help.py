"""`--help` and `--version` of the command line and of every verb."""

import argparse
import importlib
from collections.abc import Callable

import pytest

from lorescore import __version__
from lorescore.__main__ import VERBS, main

Call = Callable[..., object]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 0
    return capsys.readouterr().out


def test_every_verb_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(printed(capsys, "--help").split())
    for verb, (_, summary) in VERBS.items():
        assert f"{verb} {summary}" in text


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_explained(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    module_name, summary = VERBS[verb]
    text = printed(capsys, verb, "--help")
    assert summary in text
    parser = argparse.ArgumentParser()
    importlib.import_module(f"lorescore.cli.{module_name}").add_arguments(parser)
    for action in parser._actions:
        assert action.help, action.dest
        assert (action.option_strings or [action.metavar or action.dest])[-1] in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--version") == f"lorescore {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("tag", "--help")])
def test_the_real_command_line(real_call: Call, arguments: tuple[str, ...]) -> None:
    outcome = real_call(*arguments)
    assert outcome.status == (0 if arguments else 1)
    assert "usage: lorescore" in outcome.out + outcome.err
