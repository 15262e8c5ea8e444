"""Stage 2's units: what a text of one's own lacks for them, and that nothing is in the way of another number."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

import spm_train

ROOT = Path(__file__).resolve().parents[2]
TEXT = "u1 the cat sat on a mat\nu2 a sea and the sun\nu3\n"


@pytest.mark.parametrize(
    ("text", "nbpe", "message"),
    [
        (TEXT, 300, "text: SentencePiece makes no 300 units of it: Vocabulary size too high (300). Please set it to"),
        (TEXT, 2, "text: SentencePiece makes no 2 units of it: Vocabulary size is smaller than required_chars."),
        ("u1\nu2\n", 15, "text: no words, expected `utt words` (stage 1 makes it)"),
        ("u1 a\nu1 b\n", 15, "text:2: key u1 for the second time"),
    ],
)
def test_a_text_that_does_not_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, nbpe: int, message: str
) -> None:
    (tmp_path / "text").write_text(text)
    assert spm_train.main(["--nbpe", str(nbpe), str(tmp_path / "text"), str(tmp_path / "asr")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "asr/tokens.txt").exists()


def test_units_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT)
    assert spm_train.main(["--nbpe", "16", str(tmp_path / "text"), str(tmp_path / "asr")]) == 0
    tokens = (tmp_path / "asr/tokens.txt").read_text().splitlines()
    assert len(tokens) == 18  # with the blank and <sos/eos>
    assert (tokens[0], tokens[1], tokens[-1]) == ("<blank>", "<unk>", "<sos/eos>")


def test_another_number_of_units_after_one_that_failed(tmp_path: Path) -> None:
    for name in ("asr_train", "dev"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "text").write_text(TEXT)
        (tmp_path / "data" / name / "wav.scp").write_text("u1 u1.wav\nu2 u2.wav\n")
    for utt in ("u1", "u2"):
        soundfile.write(tmp_path / f"{utt}.wav", np.zeros(300), 16000)
    (tmp_path / "conf.yaml").write_text("encoder: conformer\n")
    for nbpe in ("300", "200"):
        done = subprocess.run(
            [ROOT / "local/asr_train.sh", "--asr_config", "conf.yaml", "--nbpe", nbpe],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert f"Vocabulary size too high ({nbpe})" in done.stderr  # and not that another model was trained there
