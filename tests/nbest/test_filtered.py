"""Lists as a recipe's filters leave them: the errors that weights are tuned on."""

from pathlib import Path

import pytest
from toy_nbest import ERROR, toy_nbest

from lorescore.errors import InputError
from lorescore.files import read_table, write_table
from lorescore.nbest import write_nbest_dir
from lorescore.nbest.filtered import filtered


def without_error(path: Path, out: Path) -> Path:
    write_table(out, {key: text.replace(f" {ERROR}", "") for key, text in read_table(path).items()})
    return out


def test_texts_of_files(tmp_path: Path) -> None:
    nbest = toy_nbest(3, seed=1)
    write_nbest_dir(tmp_path / "dev", nbest)
    words = without_error(tmp_path / "dev" / "words_text", tmp_path / "words")
    found = filtered(nbest, words, None)
    assert found.refs == nbest.refs
    assert [one.texts for one in found] == [[text.replace(f" {ERROR}", "") for text in one.texts] for one in nbest]
    assert [one.scores for one in found] == [one.scores for one in nbest]
    write_table(tmp_path / "ref", dict.fromkeys(nbest.refs, "x"))
    assert set(filtered(nbest, None, tmp_path / "ref").refs.values()) == {"x"}
    write_table(tmp_path / "ref", dict.fromkeys([*nbest.refs][1:], "x"))
    with pytest.raises(InputError, match="ref: utt000 is missing, or not in the lists"):
        filtered(nbest, None, tmp_path / "ref")
