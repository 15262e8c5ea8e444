"""`rescore --nbest --tune` on errors that are counted after a recipe's filters."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from plm_models import new_rescorer
from toy_nbest import ERROR, toy_nbest

from lorescore.files import read_table, read_yaml, write_table
from lorescore.nbest import Hypothesis, NbestList, write_nbest_dir

Call = Callable[..., object]


def test_tuning_counts_what_a_filter_leaves(tmp_path: Path, call: Call) -> None:
    """The right hypotheses are at rank 1, until a filter has made errors of them."""
    nbest = toy_nbest(8, seed=2)
    lists = (
        NbestList(one.utt, tuple(Hypothesis(text, -rank) for rank, text in enumerate(reversed(one.texts))))
        for one in nbest
    )
    write_nbest_dir(tmp_path / "dev", replace(nbest, lists=tuple(lists)))
    new_rescorer(tmp_path / "llama", "llama").save(tmp_path / "plm")
    arguments = ("rescore", "--nbest", tmp_path / "dev", "--model", tmp_path / "plm", "--out", tmp_path / "out")
    assert call(*arguments, "--tune").status == 0
    assert read_yaml(tmp_path / "out" / "weights.yaml")["dev_wer"] == 0
    texts = read_table(tmp_path / "dev" / "words_text")
    write_table(tmp_path / "words", {key: ERROR if key.endswith("-1") else text for key, text in texts.items()})
    outcome = call(*arguments, "--tune", "--tune_hyp", tmp_path / "words")
    assert outcome.status == 0, outcome
    assert read_yaml(tmp_path / "out" / "weights.yaml")["dev_wer"] > 0
    outcome = call(*arguments, "--lm_weight", "1", "--tune_hyp", tmp_path / "words")
    assert "--tune_hyp and --tune_ref without --tune" in outcome.error_line()
