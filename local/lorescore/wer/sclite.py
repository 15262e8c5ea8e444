"""ESPnet's `score_wer` directory: ref.trn, hyp.trn and result.txt, the report of NIST's sclite (SCTK).

As in ESPnet's asr.sh, `sclite -r ref.trn trn -h hyp.trn trn -i rm -o all stdout`, with two additions that make sclite
count what Kaldi counts:

- `-s`, as otherwise sclite takes words that differ in case for the same word;
- characters that mean something to sclite in a word (`{ a / b }` alternatives, `@` nothing, `;;` and `**` comments, `;`
  `*` and a backslash cut off) or in an id (brackets) are written in their full-width form, and words too long for its
  buffers as their beginning and a checksum. Texts without such characters, LibriSpeech's for one, are untouched.

sclite aligns with the weights 4 (substitution), 3 (insertion), 3 (deletion) instead of 1, 1, 1. Its split into the
three kinds often differs from Kaldi's, and its errors can be more, never fewer: five substitutions (20) cost it more
than three insertions and three deletions (18). On LibriSpeech dev-clean and dev-other the errors are the same, of the
1-best and of the oracle.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import atomic_write, split_words
from lorescore.wer.alignment import EditCounts

MAX_WORD_BYTES = 400  # sclite 2.10 never returns on words of a thousand bytes
TIMEOUT_S = 3600.0
GET_SCTK = "put ESPnet's or Kaldi's tools/sctk/bin on the PATH, or apt-get install sctk"
TEXT_SPECIALS = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in r";*\{}@"})
ID_SPECIALS = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "()"})

RAW_SUM = re.compile(r"\|\s*Sum\s*\|\s*(\d+)\s+(\d+)\s*\|\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\|")


def sctk_command(program: str) -> list[str]:
    """How a program of SCTK is called here: by itself, or through Debian's front end `sctk`.

    Raises:
        InputError: Neither is on the PATH.
    """
    for command in ([program], ["sctk", program]):
        if shutil.which(command[0]):
            return command
    raise InputError(f"{program} not found", mend=GET_SCTK)


def write_score_wer(
    score_dir: Path, refs: Mapping[str, str], hyps: Mapping[str, str], utt2spk: Mapping[str, str]
) -> EditCounts:
    """Write ref.trn, hyp.trn and result.txt.

    Args:
        score_dir: The directory `score_wer`; it is made.
        refs: Reference text by utterance.
        hyps: Hypothesis text of each of these utterances.
        utt2spk: Speaker of each of these utterances.

    Returns:
        sclite's counts.

    Raises:
        InputError: sclite is missing or fails, or did not count the words and utterances that it was given.
    """
    utts = sorted(refs)
    ids = {utt: sclite_id(utt2spk[utt], utt) for utt in utts}
    return score_files(
        score_dir,
        {
            "ref.trn": (f"{sclite_text(refs[utt])}\t({ids[utt]})" for utt in utts),
            "hyp.trn": (f"{sclite_text(hyps[utt])}\t({ids[utt]})" for utt in utts),
        },
        ["-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-i", "rm"],
        refs,
    )


def score_files(
    score_dir: Path,
    files: Mapping[str, Iterable[str]],
    arguments: Sequence[str],
    refs: Mapping[str, str],
    *,
    hyp_words: int | None = None,
) -> EditCounts:
    """Write files, let sclite score them, and write its report to result.txt once it has been checked.

    Args:
        score_dir: The directory; it is made.
        files: The lines of each file, by its name; the references' file first.
        arguments: What sclite is told of these files.
        refs: Reference text by utterance, as they were before they were made fit for sclite.
        hyp_words: How many words the hypotheses have; None where sclite need not have counted as many.

    Returns:
        sclite's counts.

    Raises:
        InputError: As `write_score_wer`.
    """
    command = sctk_command("sclite")
    result_path = score_dir / "result.txt"
    result_path.unlink(missing_ok=True)
    for name, lines in files.items():
        with atomic_write(score_dir / name) as file:
            file.writelines(f"{line}\n" for line in lines)
    report = run_sctk([*command, "-s", *arguments, "-o", "all", "stdout"], score_dir)
    utterances, counts = parse_report(report, result_path)
    ref_words = sum(len(split_words(text)) for text in refs.values())
    scored_hyp_words = counts.correct + counts.sub + counts.ins
    if (utterances, counts.ref_words) != (len(refs), ref_words) or hyp_words not in (None, scored_hyp_words):
        found, expected = f"{counts.ref_words} reference words", f"{ref_words}"
        if hyp_words is not None:
            found, expected = f"{found} and {scored_hyp_words} hypothesis words", f"{expected} and {hyp_words}"
        raise InputError(
            f"sclite scored {utterances} utterances with {found}, expected {len(refs)} with {expected}",
            path=score_dir / next(iter(files)),
            mend="look for characters that mean something to sclite",
        )
    with atomic_write(result_path) as file:
        file.write(report)
    return counts


def parse_report(report: str, path: Path) -> tuple[int, EditCounts]:
    """The number of utterances and the counts in the table of raw sums that `sclite -o all` prints.

    Args:
        report: What sclite printed.
        path: The file that an error names.

    Raises:
        InputError: There is no such table, or its numbers do not add up.
    """
    match = RAW_SUM.search(report)
    if match:
        utterances, ref_words, correct, sub, del_, ins, errors, _ = map(int, match.groups())
        counts = EditCounts(ins, del_, sub, ref_words)
        if (counts.errors, counts.correct) == (errors, correct):
            return utterances, counts
    raise InputError("no table of raw sums in the output of sclite", path=path, mend="check the version of sclite")


def run_sctk(command: list[str], score_dir: Path, given: str = "") -> str:
    """Run a program of SCTK in `score_dir` and return what it prints; `given` is its standard input.

    Raises:
        InputError: It cannot be run, does not come to an end, or fails.
    """
    program = command[1] if command[0] == "sctk" else command[0]
    try:
        # The C locale: in others, isspace() may split a multi-byte character.
        done = subprocess.run(
            command,
            cwd=score_dir,
            env={**os.environ, "LC_ALL": "C"},
            input=given.encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise InputError(f"{program} cannot be run: {error.strerror}", path=score_dir) from error
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"{program} had not finished after {TIMEOUT_S:.0f} s", path=score_dir, mend="split very long utterances"
        ) from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        raise InputError(f"{program} failed with status {done.returncode}: {last}", path=score_dir)
    return done.stdout.decode("utf-8", "replace")


def sclite_text(text: str) -> str:
    """A text in which sclite sees the words that are in it, and no others."""
    return " ".join(_shortened(word) for word in split_words(text.translate(TEXT_SPECIALS)))


def _shortened(word: str) -> str:
    encoded = word.encode()
    if len(encoded) <= MAX_WORD_BYTES:
        return word
    return f"{word[:20]}~{hashlib.sha256(encoded).hexdigest()[:16]}"


def sclite_id(speaker: str, utt: str) -> str:
    """An utterance's id for sclite, which takes what stands before the first `-` or `_` for the speaker."""
    return f"{speaker}-{utt}".translate(ID_SPECIALS)
