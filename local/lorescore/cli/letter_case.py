"""A warning of the verbs that count errors: references and hypotheses in other letter cases."""

import logging
from collections.abc import Mapping
from pathlib import Path

from lorescore.wer import EditCounts, edit_counts
from lorescore.wer.cleaning import clean

logger = logging.getLogger(__name__)

# Of a text in capitals, or of cased text beside text without, far more is wrong in case alone; of two cased texts less.
MIN_SHARE_OF_WORDS = 0.05
MIN_SHARE_OF_ERRORS = 0.25


def warn_of_case(
    path: Path, refs: Mapping[str, str], hyps: Mapping[str, str], metric: str, cleaner: str | None = None
) -> None:
    """Say where much is wrong in the case of letters alone, which no rescoring can mend.

    Args:
        path: What the warning names: the lists, or the hypotheses.
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        metric: What errors are counted in.
        cleaner: What is done to texts before.
    """
    as_they_are, in_lower_case = EditCounts(), EditCounts()
    for utt, ref in refs.items():
        as_counted, hyp = clean(ref, cleaner), clean(hyps[utt], cleaner)
        as_they_are += edit_counts(as_counted, hyp, metric)
        in_lower_case += edit_counts(as_counted.lower(), hyp.lower(), metric)
    of_case = as_they_are.errors - in_lower_case.errors
    enough = max(MIN_SHARE_OF_WORDS * as_they_are.ref_words, MIN_SHARE_OF_ERRORS * as_they_are.errors)
    if of_case and of_case >= enough:
        name = metric.upper()
        logger.warning(
            "%s: references and hypotheses differ in case: %s %.2f, in lower case %.2f "
            "(write the references as the decode has its words, or give stage 4 a --cleaner)",
            path,
            name,
            as_they_are.wer,
            in_lower_case.wer,
        )
