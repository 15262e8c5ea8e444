"""Stage 2 as it trains: ESPnet's own training on a few seconds of noise, and a decode with what it made."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "egs/demo/rescore1/conf"
WORDS = ["the", "cat", "sat", "on", "a", "mat", "by", "sea", "and", "sun"]
SAMPLE_RATE = 16000


def write_data(data_dir: Path, num_utts: int, seed: int) -> None:
    """A second of noise and three to five words an utterance."""
    rng = np.random.default_rng(seed)
    data_dir.mkdir(parents=True)
    wavs, texts = [], []
    for index in range(num_utts):
        utt = f"{data_dir.name}-{index:02d}"
        path = data_dir / f"{utt}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(SAMPLE_RATE), SAMPLE_RATE, subtype="PCM_16")
        wavs.append(f"{utt} {path}\n")
        texts.append(f"{utt} {' '.join(rng.choice(WORDS, rng.integers(3, 6)))}\n")
    (data_dir / "wav.scp").write_text("".join(wavs))
    (data_dir / "text").write_text("".join(texts))


def small(config: Path, out: Path) -> Path:
    """The demo's configuration with a model of a few thousand parameters and one epoch."""
    content = yaml.safe_load(config.read_text())
    content |= {"max_epoch": 1, "num_workers": 0}
    content["encoder_conf"] |= {
        "output_size": 16,
        "attention_heads": 2,
        "linear_units": 16,
        "num_blocks": 1,
        "cnn_module_kernel": 7,
    }
    content["decoder_conf"] |= {"attention_heads": 2, "linear_units": 16}
    out.write_text(yaml.safe_dump(content))
    return out


def test_audio_is_looked_at_before_anything_is_made_of_it(tmp_path: Path) -> None:
    write_data(tmp_path / "data" / "asr_train", 2, seed=1)
    write_data(tmp_path / "data" / "dev", 2, seed=2)
    soundfile.write(tmp_path / "data" / "dev" / "dev-01.wav", np.zeros(4000), 8000)
    train = [ROOT / "local/asr_train.sh", "--asr_config", DEMO / "train_asr.yaml"]
    done = subprocess.run(train, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "data/dev/wav.scp:2: utterance dev-01: " in done.stderr
    assert " has 8000 samples a second, the model expects 16000 (resample it" in done.stderr
    assert not (tmp_path / "exp").exists()


@pytest.mark.slow
def test_a_first_pass_is_trained_and_decodes(tmp_path: Path) -> None:
    write_data(tmp_path / "data" / "asr_train", 12, seed=1)
    write_data(tmp_path / "data" / "dev", 4, seed=2)
    config = small(DEMO / "train_asr.yaml", tmp_path / "train_asr.yaml")
    train = [ROOT / "local/asr_train.sh", "--asr_config", config, "--nbpe", "20"]
    done = subprocess.run(train, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    asr = tmp_path / "exp" / "asr"
    assert {"config.yaml", "tokens.txt", "valid.acc.ave.pth"} <= {path.name for path in asr.iterdir()}
    assert len((asr / "tokens.txt").read_text().splitlines()) >= 20
    decode = [
        *(sys.executable, ROOT / "local/asr_decode.py", "--asr_exp", asr, "--asr_model", "valid.acc.ave.pth"),
        *("--data_dir", tmp_path / "data" / "dev", "--decode_config", DEMO / "decode_asr.yaml"),
        *("--decode_dir", tmp_path / "decode", "--nj", "1"),
    ]
    done = subprocess.run(decode, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = tmp_path / "decode" / "logdir" / "output.1" / "1best_recog" / "text"
    assert [line.split()[0] for line in text.read_text().splitlines()] == [f"dev-{index:02d}" for index in range(4)]

    # A model keeps its configuration.
    kept = config.read_text()
    config.write_text(kept.replace("ctc_weight: 0.3", "ctc_weight: 0.5"))
    assert config.read_text() != kept
    done = subprocess.run(train, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "exp/asr was trained with another configuration or on other data: move it away" in done.stderr
    config.write_text(kept)

    # What fails says where to look; statistics that were not finished are made again.
    (asr / "stats" / "valid" / "stats_keys").unlink()
    config.write_text(kept + "no_such_option: 1\n")
    (asr / "made_from").unlink()
    done = subprocess.run(train, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("failed; log: exp/asr/log/stats.log")
