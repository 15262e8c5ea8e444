"""The LibriSpeech dev lists through the formats: the same word errors to the last one.

6.12 % and 4.04 % are 1-best and oracle of dev-clean, 16.76 % and 13.02 % of dev-other, as `import-nbest` finds them.
"""

from pathlib import Path

import pytest

from lorescore.combine import first_pass, oracle
from lorescore.nbest import NbestSet
from lorescore.nbest.formats import FORMATS, FormatOptions, find_format
from lorescore.wer import EditCounts, edit_counts

NAMES = {"archives": "kaldi", "lists.json": "mlm-scoring", "beams.tsv": "nemo", "decode": "espnet"}


def wer_of(nbest: NbestSet, texts: dict[str, str]) -> str:
    """The word error rate as Kaldi prints it, with its counts."""
    counts = sum((edit_counts(nbest.refs[utt], text) for utt, text in texts.items()), EditCounts())
    return f"{counts.wer:.2f} {counts.errors} / {counts.ref_words}"


@pytest.mark.parametrize(
    ("name", "wers"),
    [
        ("dev_clean", ["6.12 3329 / 54402", "4.04 2197 / 54402"]),
        ("dev_other", ["16.76 8541 / 50948", "13.02 6632 / 50948"]),
    ],
)
def test_librispeech(librispeech_dev: Path, tmp_path: Path, name: str, wers: list[str]) -> None:
    """From an ESPnet decode to each format, and from each to the next."""
    options = FormatOptions(ref=librispeech_dev / name / "ref_text", utts=tmp_path / "utts")
    form, _ = find_format(librispeech_dev / name)
    decode = nbest = form.read(librispeech_dev / name, options)
    (tmp_path / "utts").write_text("".join(f"{one.utt}\n" for one in decode))
    assert form.name == "espnet"
    assert [wer_of(decode, first_pass(decode)), wer_of(decode, oracle(decode))] == wers
    for file, format_name in NAMES.items():
        FORMATS[format_name].write(tmp_path / file, nbest, options)
        form, _ = find_format(tmp_path / file)
        assert form.name == format_name
        nbest = form.read(tmp_path / file, options)
        assert nbest.lists == decode.lists
        assert [wer_of(nbest, first_pass(nbest)), wer_of(nbest, oracle(nbest))] == wers
