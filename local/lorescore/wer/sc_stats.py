"""NIST's matched pairs test of two systems, by sctk's `sc_stats` on the alignments of sclite.

MAPSSWE, the matched pairs sentence segment word error test: Gillick and Cox, "Some statistical issues in the comparison
of speech recognition algorithms", ICASSP 1989; Pallett et al., "Tools for the analysis of benchmark speech recognition
tests", ICASSP 1990. The utterances are cut into segments that two words which both systems have right (or the end of
the utterance) keep apart; a segment counts where one of the systems has an error in it. With the difference d of the
two systems' errors in each of n segments, z = mean(d) / (sd(d) / sqrt(n)) is normal where the systems are equally good.

sc_stats is given what `sclite -o sgml` writes of each system, and prints z with three decimals; the p-value is computed
of it here. sclite's weights apply, see `lorescore.wer.sclite`.
"""

import math
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, split_words
from lorescore.wer.sclite import run_sctk, sclite_id, sclite_text, sctk_command
from lorescore.wer.score import require_same_utterances
from lorescore.wer.speakers import default_speaker

QUOTE, FULL_WIDTH_QUOTE = '"', "\uff02"  # quotes stand around the words that sclite hands to sc_stats
NUMBER = r"\s*(-?\d+(?:\.\d+)?)"
RESULT = re.compile(
    rf"MTCH_PR_RESULTS .*\(# segs:{NUMBER}\).*\(mean:{NUMBER}\) \(std dev:{NUMBER}\) \(Z Stat:{NUMBER}\)"
)
SENTENCES = re.compile(rf"Number of Sentences{NUMBER}")


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """What the test found of systems a and b.

    Attributes:
        segments: Segments in which a or b has an error.
        mean: Errors of a less those of b, in a segment; above 0 where b is better.
        std: Standard deviation of that difference (of a sample: n - 1).
        z: The statistic; 0 where all segments have the same difference.
    """

    segments: int
    mean: float
    std: float
    z: float

    @property
    def p_value(self) -> float | None:
        """Two-sided: how often equally good systems differ so much or more; None where the test is not defined.

        That is where every segment has the same difference, and the difference is not 0.
        """
        if self.std == 0 and self.mean != 0:
            return None
        return math.erfc(abs(self.z) / math.sqrt(2))


NO_DIFFERENCE = MatchedPairs(0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Alignment:
    """A system's alignment with the references.

    Attributes:
        sgml: What `sclite -o sgml` prints.
        hyps: The words of each utterance's hypothesis.
    """

    sgml: str
    hyps: Mapping[str, list[str]]


def sgml_alignment(refs: Mapping[str, str], hyps: Mapping[str, str], title: str) -> Alignment:
    """Align hypotheses with their references by sclite.

    Args:
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        title: The system's name, one word.

    Raises:
        InputError: An utterance is missing on one side, or sclite is missing or fails.
    """
    require_same_utterances(refs, hyps, "hypothesis")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file_name, texts in (("ref.trn", refs), ("hyp.trn", hyps)):
            with atomic_write(folder / file_name) as file:
                for utt in sorted(refs):
                    words = sclite_text(texts[utt]).replace(QUOTE, FULL_WIDTH_QUOTE)
                    file.write(f"{words}\t({sclite_id(default_speaker(utt), utt)})\n")
        files = ["-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", title, "-i", "rm"]
        sgml = run_sctk([*sctk_command("sclite"), "-s", *files, "-o", "sgml", "stdout"], folder)
    return Alignment(sgml, {utt: split_words(text) for utt, text in hyps.items()})


def matched_pairs(a: Alignment, b: Alignment) -> MatchedPairs:
    """The test on two systems' alignments with the same references.

    Raises:
        InputError: The systems have other utterances, sc_stats is missing or fails, or it did not test all utterances.
    """
    require_same_utterances(dict.fromkeys(a.hyps, ""), dict.fromkeys(b.hyps, ""), "hypothesis of the other system")
    if a.hyps == b.hyps:
        return NO_DIFFERENCE  # sc_stats crashes where there is no error at all
    with tempfile.TemporaryDirectory() as name:
        command = [*sctk_command("sc_stats"), "-p", "-t", "mapsswe", "-v", "-n", "-"]
        report = run_sctk(command, Path(name), a.sgml + b.sgml)
    return parse_matched_pairs(report, len(a.hyps))


def parse_matched_pairs(report: str, utterances: int) -> MatchedPairs:
    """Read the result of one pair of systems from the report of `sc_stats -t mapsswe -v`.

    Args:
        report: What it printed.
        utterances: How many it was given.

    Raises:
        InputError: There is no result, or it is of another number of utterances.
    """
    result, sentences = RESULT.search(report), SENTENCES.search(report)
    if not result or not sentences:
        raise InputError("no matched pairs test in the output of sc_stats", mend="check the version of sctk")
    if int(sentences[1]) != utterances:
        raise InputError(
            f"sc_stats tested {sentences[1]} utterances, expected {utterances}",
            mend="look for characters that mean something to sclite",
        )
    segments, mean, std, z = result.groups()
    return MatchedPairs(int(segments), float(mean), float(std), float(z))
