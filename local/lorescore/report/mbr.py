"""MBR against MAP: what minimum Bayes risk decoding changes where a system `<tag>_mbr` stands beside `<tag>`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lorescore.decode import MBR
from lorescore.wer import word_error_rate
from lorescore.wer.distances import errors_of_systems
from lorescore.wer.resampling import Estimate, estimate, relative_changes

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
    rows = errors_of_systems(refs, [map_hyps, mbr_hyps], metric)
    by_map, by_mbr, ref_words = rows.sum(axis=1).tolist()
    map_wer, mbr_wer = (word_error_rate(errors, ref_words) for errors in (by_map, by_mbr))
    change = estimate(rows[:2], relative_changes)
    return MbrComparison(set_name, tag, map_wer, mbr_wer, change, posterior_scale)
