"""SpeechBrain (PyPI `speechbrain`): HuggingFaceLMRescorer behind RescorerBuilder, as its LibriSpeech recipe has it."""

from collections.abc import Sequence
from pathlib import Path

from speechbrain.decoders.scorer import HuggingFaceLMRescorer, RescorerBuilder
from transformers import AutoTokenizer

from competitors.special_tokens import bos_token
from lorescore.plm.settings import PlmSettings


class SpeechBrainRescorer:
    """Whole lists; all hypotheses of a call are one padded batch.

    SpeechBrain takes every token from the pad token's id on for no token of the PLM's. Where a PLM pads with a token
    of its own, such as eos, nearly all of the vocabulary would be lost; so it gets the PLM's directory with a tokenizer
    that has no pad token, and then adds one at the end by itself. Its bos and eos are set to those of the PLM's
    settings. It gives the lists back sorted by score.
    """

    name = "SpeechBrain"
    batch_sizes = (1, 4)  # lists

    def __init__(self, plm_dir: Path, plm: PlmSettings, work_dir: Path) -> None:
        model_dir = work_dir / "speechbrain"
        model_dir.mkdir(parents=True, exist_ok=True)
        for path in plm_dir.resolve().iterdir():
            link = model_dir / path.name
            if not path.name.startswith("tokenizer") and not link.exists():
                link.symlink_to(path)
        tokenizer = AutoTokenizer.from_pretrained(plm_dir, pad_token=None)
        tokenizer.save_pretrained(model_dir)
        rescorer = HuggingFaceLMRescorer(str(model_dir), device="cpu")
        rescorer.bos_token, rescorer.eos_token = bos_token(tokenizer, plm), plm.eos
        self.builder = RescorerBuilder(weights={"huggingfacelm": 1.0}, rescorers=[rescorer])

    def score(self, lists: Sequence[Sequence[str]], batch_size: int) -> list[list[float]]:
        """Log-likelihoods by list."""
        scores = []
        for start in range(0, len(lists), batch_size):
            batch = [list(texts) for texts in lists[start : start + batch_size]]
            first_pass = [[0.0] * len(texts) for texts in batch]
            for texts, ranked, values in zip(batch, *self.builder.rescore(batch, first_pass), strict=True):
                by_text = dict(zip(ranked, values, strict=True))
                scores.append([by_text[text] for text in texts])
        return scores
