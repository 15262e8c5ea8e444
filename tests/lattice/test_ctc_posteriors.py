"""local/ctc_posteriors.py with the demo's own first pass on a few seconds of noise."""

import shutil
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile

import ctc_posteriors

MODEL = Path(__file__).resolve().parents[2] / "egs" / "demo" / "rescore1" / "asr"
RATE = 16000  # Hz, the demo's


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe directory, entered, with the model and three recordings."""
    shutil.copytree(MODEL, tmp_path / "exp" / "asr")
    (tmp_path / "data").mkdir()
    noise = np.random.default_rng(1)
    lines = []
    for utt, seconds in (("c", 1.0), ("a", 0.7), ("b", 1.4)):
        path = tmp_path / "data" / f"{utt}.wav"
        soundfile.write(path, 0.1 * noise.standard_normal(int(RATE * seconds)), RATE)
        lines.append(f"{utt} {path}\n")
    (tmp_path / "data" / "wav.scp").write_text("".join(lines))
    monkeypatch.chdir(tmp_path)  # the model's configuration has a path relative to the recipe
    return tmp_path


def call(out_dir: str, nj: int) -> int:
    options = ["--asr_exp", "exp/asr", "--data_dir", "data", "--out_dir", out_dir, "--nj", str(nj)]
    return ctc_posteriors.main(options)


@pytest.mark.slow
def test_posteriors_are_the_same_bytes_whatever_the_number_of_jobs(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("one", 1) == 0
    assert call("two", 2) == 0
    whole = dict(kaldiio.load_scp_sequential("one/ctc.1.scp"))
    assert list(whole) == ["a", "b", "c"]
    parts = {utt: m for job in (1, 2) for utt, m in kaldiio.load_scp_sequential(f"two/ctc.{job}.scp")}
    tokens = (recipe / "exp" / "asr" / "tokens.txt").read_text().split()
    for utt, log_probs in whole.items():
        assert log_probs.dtype == np.float32
        assert log_probs.shape[1] == len(tokens)
        assert np.exp(log_probs.astype(np.float64)).sum(axis=1) == pytest.approx(1.0, abs=1e-4)
        assert log_probs.tobytes() == parts[utt].tobytes()
    assert len(whole["a"]) < len(whole["c"]) < len(whole["b"])

    # Only what is missing is computed again, and it is the same.
    kept, gone = Path("two/ctc.1.ark").stat().st_mtime_ns, Path("two/ctc.2.ark").read_bytes()
    Path("two/ctc.2.scp").unlink()
    capsys.readouterr()
    assert call("two", 2) == 0
    assert "jobs 2 of 2" in capsys.readouterr().out
    assert Path("two/ctc.1.ark").stat().st_mtime_ns == kept
    assert Path("two/ctc.2.ark").read_bytes() == gone
    assert call("two", 3) == 0  # of another number of cores
    assert "computed before" in capsys.readouterr().out
    assert Path("two/frame_shift").read_text() == "0.06\n"  # every sixth of frames 10 ms apart


@pytest.mark.slow
def test_an_utterance_that_is_too_short_for_the_model_is_left_out_and_named(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(recipe / "data" / "a.wav", np.zeros(RATE // 25), RATE)  # 40 ms; subsampling takes more
    soundfile.write(recipe / "data" / "b.wav", np.zeros(RATE // 100), RATE)  # 10 ms; the spectrum takes more
    assert call("out,3", 3) == 0  # kaldiio would take a comma for its own
    err = capsys.readouterr().err
    for job, utt in enumerate("ab", start=1):
        assert f"utterance {utt} is too short for the model" in err
        log = Path(f"out,3/log/ctc.{job}.log").read_text().splitlines()
        assert log.count(f"utterance {utt} is too short") == 1
    found = [list(kaldiio.load_scp_sequential(f"out,3/ctc.{job}.scp")) for job in (1, 2, 3)]
    assert [[utt for utt, _ in part] for part in found] == [[], [], ["c"]]
    assert [Path(f"out,3/ctc.{job}.too_short").read_text() for job in (1, 2, 3)] == ["a\n", "b\n", ""]
    assert call("out,3", 3) == 0
    assert "computed before" in capsys.readouterr().out


def test_missing_inputs_are_said(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("exp/asr/valid.acc.ave.pth").unlink()
    assert call("out", 1) == 1
    assert "valid.acc.ave.pth: cannot be read" in capsys.readouterr().err
    Path("data/wav.scp").write_text("")
    assert call("out", 1) == 1
    assert "wav.scp: empty" in capsys.readouterr().err
