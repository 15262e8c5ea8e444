"""The format is found in the content; what looks like none or like several is refused."""

import gzip
import os
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nbest.formats import FORMATS, FormatOptions, find_format, format_for_writing, format_named

CONTENTS = {
    "mlm-scoring": '\ufeff{"u": {"ref": "a", "hyp_1": {"score": -1, "text": "a"}}}',
    "nemo": "a b\t-1.5\n\t-2\n",
    "icefall": "u:\tref=['A']\nu:\thyp=['A']\n",
    "tsv": "u\t1\t-1.5\ta b\n",
    "jsonl": '{"utt": "u", "hyps": ["a"], "scores": [-1]}\n',
    "datasets": 'utt,hyps,scores\nu,"[""a""]",[-1]\n',
}


def test_a_long_first_line(tmp_path: Path) -> None:
    path = tmp_path / "long"
    nbest = NbestSet((NbestList("u", tuple(Hypothesis(f"{'word ' * 100}{rank}", -rank) for rank in range(300))),))
    FORMATS["jsonl"].write(path, nbest, FormatOptions())
    assert path.stat().st_size > 1 << 16
    assert find_format(path)[0].name == "jsonl"


@pytest.mark.parametrize("name", CONTENTS)
def test_the_name_of_a_file_says_nothing(tmp_path: Path, name: str) -> None:
    for misleading in ("lists.json", "lists.tsv", "lists"):
        (tmp_path / misleading).write_text(CONTENTS[name], encoding="utf-8")
        assert find_format(tmp_path / misleading)[0].name == name


@pytest.mark.parametrize("name", ["nemo", "icefall", "tsv", "jsonl"])
def test_a_bad_line_does_not_hide_the_format(tmp_path: Path, name: str) -> None:
    """So that the reader can say which line it is."""
    path = tmp_path / "lists"
    path.write_bytes(b"caf\xe9\tnan\n" + CONTENTS[name].encode() * 2)
    assert find_format(path)[0].name == name


@pytest.mark.parametrize(
    ("files", "name", "why"),
    [
        (["logdir/output.1/1best_recog/text"], "espnet", "logdir"),
        (["output.1/1best_recog/text"], "espnet", "output.J"),
        (["nbest.yaml", "words_text", "acwt"], "nbest-dir", "nbest.yaml"),
        (["nbest.yaml", "acwt", "lmwt.nolm", "lmwt.lmonly"], "nbest-dir", "nbest.yaml"),
        (["words_text", "acwt"], "nbest-dir", "words_text and acwt"),
        (["words_text", "acwt", "text", "lmwt.lm"], "nbest-dir", "words_text and acwt"),
        (["archives.1/acwt", "lat.1.gz", "num_jobs"], "kaldi", "archives.JOB"),
        (["acwt", "words_text", "lmwt.nolm"], "kaldi", "acwt and lmwt.nolm"),
        (["state.json", "dataset_info.json"], "datasets", "state.json and dataset_info.json"),
        (["dataset_dict.json", "dev/state.json"], "datasets", "dataset_dict.json"),
    ],
)
def test_directories(tmp_path: Path, files: list[str], name: str, why: str) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    form, reason = find_format(tmp_path)
    assert (form.name, reason) == (name, why)


@pytest.mark.parametrize(
    ("begin", "why"),
    [(b"PAR1", "a Parquet file"), (b"ARROW1\0\0", "an Arrow file"), (b"\xff\xff\xff\xff", "an Arrow stream")],
)
def test_binary_files(tmp_path: Path, begin: bytes, why: str) -> None:
    (tmp_path / "table").write_bytes(begin + bytes(100))
    form, reason = find_format(tmp_path / "table")
    assert (form.name, reason) == ("datasets", why)


def test_what_looks_like_several_formats_names_them(tmp_path: Path) -> None:
    for name in ("logdir", "archives.1"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError) as error:
        find_format(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: looks like espnet (logdir), kaldi (archives.JOB) (choose one: --format FORMAT)"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "looks like an empty file (give it with --format: espnet nbest-dir kaldi"),
        (b"u the cat sat\n", "looks like no format that is known (give it with --format: espnet"),
        (b'{"audio_filepath": "u.wav", "text": "the cat"}\n', "looks like no format that is known"),
        (b'{"u": {"text": "a"}}', "looks like no format that is known"),
        pytest.param(b"u the cat sat\rv a dog\r", "looks like no format that is known", id="carriage returns"),
        pytest.param(b"u" * (1 << 18), "looks like no format that is known", id="a long line"),
        pytest.param(bytes(range(256)) * 9, "looks like no format that is known", id="binary"),
        pytest.param(gzip.compress(b"u 1"), "looks like a gzip file (gunzip it first)", id="gzip"),
    ],
)
def test_files_of_no_format(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError) as error:
        find_format(tmp_path / "file")
    assert str(error.value).startswith(f"{tmp_path}/file: {message}")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"utt": "u", "hyps": ["a"], "scores": [-1.0]\n', ":1: not JSON: "),
        ("a.jsonl", '{"audio_filepath": "u.wav", "text": "a"}\n', ":1: the columns are audio_filepath text, expected"),
        ("a.tsv", "u -1.5 the cat\n", ":1: 1 columns, expected utt rank score text, separated by tabs"),
    ],
)
def test_where_the_name_tells_the_format_its_reader_names_the_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    form, why = find_format(tmp_path / name)
    assert why == f"as the name ends in {Path(name).suffix}"
    with pytest.raises(InputError) as error:
        form.read(tmp_path / name, FormatOptions())
    assert str(error.value).startswith(f"{tmp_path}/{name}{message}")


def test_what_cannot_be_read_is_no_unknown_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root every file can be read, so the refusal is made up."""
    (tmp_path / "a.tsv").write_text("u\t-1\ta\n")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError) as error:
        find_format(tmp_path / "a.tsv")
    assert str(error.value) == f"{tmp_path}/a.tsv: cannot be read: Permission denied (check its permissions)"


def test_lattices_are_for_another_verb(tmp_path: Path) -> None:
    (tmp_path / "lat.1.gz").touch()
    with pytest.raises(InputError, match="for lattices: python -m lorescore import-nbest --lattice_dir"):
        find_format(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or directory"):
        find_format(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.json", "mlm-scoring"),
        ("a.tsv", "tsv"),
        ("a.jsonl", "jsonl"),
        ("a.parquet", "datasets"),
        ("a.csv", "datasets"),
        ("a", "nbest-dir"),
    ],
)
def test_the_name_of_what_is_written(name: str, form: str) -> None:
    assert format_for_writing(Path(name))[0].name == form


def test_names_that_say_nothing() -> None:
    with pytest.raises(InputError, match="a.txt: no format for names that end in .txt \\(give it with --to: espnet"):
        format_for_writing(Path("a.txt"))
    with pytest.raises(InputError, match="--to 'kladi' is not known \\(did you mean kaldi\\?"):
        format_named("kladi", "--to")


def test_every_format_says_what_its_scores_are() -> None:
    for form in FORMATS.values():
        assert sum(word in form.scores for word in ("log scores (", "costs (", "no scores (")) == 1
