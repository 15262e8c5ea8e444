"""The second pass at decoding time, with a real Speech2Text: the demo's first pass hears a second of sound."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from plm_models import new_rescorer

from lorescore import Weights
from lorescore.espnet_adapter import RescoredSpeech2Text

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_RATE = 16000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_results_of_a_real_beam_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asr_inference = pytest.importorskip("espnet2.bin.asr_inference")
    (tmp_path / "exp").mkdir()
    shutil.copytree(ROOT / "egs/demo/rescore1/asr", tmp_path / "exp/asr")
    monkeypatch.chdir(tmp_path)  # the paths in config.yaml are seen from the recipe
    speech2text = asr_inference.Speech2Text(
        "exp/asr/config.yaml", "exp/asr/valid.acc.ave.pth", beam_size=4, nbest=4, ctc_weight=0.3, lm_weight=0.0
    )
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    # A tone with overtones that rises and falls four times, as a voice might.
    pitch = 2 * math.pi * np.cumsum(140 + 60 * np.sin(2 * math.pi * 4 * time)) / SAMPLE_RATE
    overtones = sum(np.sin(number * pitch) / number for number in range(1, 12))
    speech = (0.05 * overtones * np.sin(2 * math.pi * 2 * time)).astype(np.float32)

    first = speech2text(speech)
    scores = [float(hypothesis.score) for _, _, _, hypothesis in first]
    assert len(first) == 4
    assert scores == sorted(scores, reverse=True)
    rescorer = new_rescorer(tmp_path / "plm", "llama", plm_text="lower")
    (plm_scores,) = rescorer.score([[text for text, _, _, _ in first]])
    orders = []
    for lm_weight in (0.0, 5.0):
        combined = [score + lm_weight * plm for score, plm in zip(scores, plm_scores, strict=True)]
        orders.append([combined.index(score) for score in sorted(combined, reverse=True)])
        done = RescoredSpeech2Text(speech2text, rescorer, Weights(lm_weight))(speech)
        # Speech2Text decodes anew each time: the same texts, tokens and scores in new objects.
        assert [result[:3] for result in done] == [first[index][:3] for index in orders[-1]]
        expected = [scores[index] for index in orders[-1]]
        assert [float(result[3].score) for result in done] == pytest.approx(expected, abs=1e-4)
    assert orders[0] == [0, 1, 2, 3] != orders[1]
