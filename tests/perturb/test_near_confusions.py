"""The weights of near-homophones are those of a real first pass's errors."""

import math
from collections import Counter
from pathlib import Path

import pytest

from lorescore.nbest.espnet import read_espnet_decode
from lorescore.perturb import HomophoneLexicon, nbest_vocabulary, near
from lorescore.wer.alignment import align


def confusions(decode_dir: Path) -> tuple[HomophoneLexicon, Counter[tuple[str, str]]]:
    """The lexicon of a decode's words, and how often its 1-bests have one word where the reference has another."""
    nbest = read_espnet_decode(decode_dir, decode_dir / "ref_text")
    found: Counter[tuple[str, str]] = Counter()
    for one in nbest:
        pairs = align(nbest.refs[one.utt].lower(), one.hypotheses[0].text.lower())
        found.update((ref, hyp) for ref, hyp in pairs if ref and hyp and ref != hyp)
    return HomophoneLexicon.for_vocabulary(nbest_vocabulary([nbest])), found


def log_likelihood(lexicon: HomophoneLexicon, found: Counter[tuple[str, str]]) -> float:
    """Of the confusions with a near-homophone, in nats each."""
    weights = {ref: lexicon.near.weights(ref) for ref, _ in found}
    near_ones = {(ref, hyp): count for (ref, hyp), count in found.items() if hyp in weights[ref]}
    chances = {(ref, hyp): weights[ref][hyp] / sum(weights[ref].values()) for ref, hyp in near_ones}
    assert sum(near_ones.values()) > 400
    return sum(count * math.log(chances[pair]) for pair, count in near_ones.items()) / sum(near_ones.values())


@pytest.mark.parametrize("name", ["dev_clean", "dev_other"])
def test_other_weights_make_real_errors_less_likely(
    librispeech_dev: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lexicon, found = confusions(librispeech_dev / name)
    ours = log_likelihood(lexicon, found)
    for constant, value in (("SCALE", near.SCALE / 2), ("SCALE", near.SCALE * 2), ("SKIP", 20.0), ("SKIP", -20.0)):
        with monkeypatch.context() as patch:
            patch.setattr(near, constant, value)
            assert log_likelihood(lexicon, found) < ours, (constant, value)
    monkeypatch.setattr(near, "SKIP", 45.0)  # ALINE's price of a phone left out
    assert log_likelihood(lexicon, found) < ours - 0.5
