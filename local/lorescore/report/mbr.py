"""MBR against MAP: what minimum Bayes risk decoding changes where a system `<tag>_mbr` stands beside `<tag>`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lorescore.decode import MBR
from lorescore.wer import edit_counts, word_error_rate
from lorescore.wer.resampling import Estimate, estimate, relative_changes
from lorescore.wer.units import split_units

MBR_SUFFIX = f"_{MBR}"


@dataclass(frozen=True)
class MbrComparison:
    """The two decodings of one rescorer on one set.

    Attributes:
        set: The set's name.
        tag: The rescorer's tag.
        map_wer: WER by MAP in percent.
        mbr_wer: WER by MBR in percent.
        change: From MAP to MBR.
        posterior_scale: As chosen on dev; infinite where no finite one was better than MAP there.
    """

    set: str
    tag: str
    map_wer: float
    mbr_wer: float
    change: Estimate
    posterior_scale: float


def base_tag(tag: str, tags: Iterable[str]) -> str:
    """The tag of the rescorer whose MBR decoding a system is, if it is that of one of `tags`; else the tag itself."""
    base = tag.removesuffix(MBR_SUFFIX)
    return base if base in tags else tag


def compare_mbr(
    set_name: str,
    tag: str,
    refs: Mapping[str, str],
    map_hyps: Mapping[str, str],
    mbr_hyps: Mapping[str, str],
    posterior_scale: float,
    metric: str,
) -> MbrComparison:
    """Compare the hypotheses that MBR chose with those that MAP chose.

    Args:
        set_name: The set.
        tag: The rescorer.
        refs: The references by utterance, not all of them empty.
        map_hyps: The text of each of these utterances by MAP.
        mbr_hyps: By MBR.
        posterior_scale: Of MBR.
        metric: What errors are counted in: `wer` or `cer`.
    """
    by_map, by_mbr = (
        np.array([edit_counts(ref, hyps[utt], metric).errors for utt, ref in refs.items()], dtype=np.int64)
        for hyps in (map_hyps, mbr_hyps)
    )
    ref_words = sum(len(split_units(ref, metric)) for ref in refs.values())
    map_wer, mbr_wer = (word_error_rate(int(errors.sum()), ref_words) for errors in (by_map, by_mbr))
    change = estimate(np.stack([by_map, by_mbr]), relative_changes)
    return MbrComparison(set_name, tag, map_wer, mbr_wer, change, posterior_scale)
