"""Bad input: one line that names the file, the line where there is one, what was expected and how to mend it."""

from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nbest.formats import FORMATS, FormatOptions

ENTRY = '{{"u": {{"hyp_1": {}}}}}'
HYP = '{"score": -1, "text": "a"}'
ROW = '{{"utt": "u", "hyps": ["a", "b"], "scores": {}}}'

# Format, what the file holds, the beginning of the message after the path.
FILES = {
    "mlm: not JSON": ("mlm-scoring", '{\n"u": {"hyp_1": ', ":2: not JSON: Expecting value at character 16 of"),
    "mlm: a list": ("mlm-scoring", "[]", ":1: the file is [], expected an object"),
    "mlm: NaN": ("mlm-scoring", '{\n"u":\n{"hyp_1": {"score": NaN, "text": "a"}}}', ":3: NaN is no JSON number"),
    "mlm: huge": (
        "mlm-scoring",
        ENTRY.format('{"score": 1e999, "text": ""}'),
        ":1: score of hyp_1 of utterance 'u' is",
    ),
    "mlm: huge whole": ("mlm-scoring", ENTRY.format(f'{{"score": {"9" * 400}, "text": ""}}'), ":1: score of hyp_1 of"),
    "mlm: score as text": (
        "mlm-scoring",
        '{"t": {"hyp_1": ' + HYP + '},\n"u": {"hyp_1": {"score": "-1", "text": "a"}}}',
        ":2: score of hyp_1 of utterance 'u' is '-1', expected a finite number (correct the value)",
    ),
    "mlm: no score": ("mlm-scoring", ENTRY.format('{"text": "a"}'), ":1: score of hyp_1 of utterance 'u' is None, exp"),
    "mlm: true": (
        "mlm-scoring",
        ENTRY.format('{"score": true, "text": "a"}'),
        ":1: score of hyp_1 of utterance 'u' is",
    ),
    "mlm: text": (
        "mlm-scoring",
        ENTRY.format('{"score": 1, "text": 2}'),
        ":1: text of hyp_1 of utterance 'u' is 2, exp",
    ),
    "mlm: hyp": ("mlm-scoring", ENTRY.format('"a"'), ":1: hyp_1 of utterance 'u' is 'a', expected an object"),
    "mlm: utterance": ("mlm-scoring", '{"u": 3}', ":1: utterance 'u' is 3, expected an object"),
    "mlm: no hypothesis": ("mlm-scoring", '{"u": {"ref": "a"}}', ":1: utterance 'u' has no hyp_1"),
    "mlm: rank": ("mlm-scoring", '{"u": {"hyp_0": ' + HYP + "}}", ":1: the rank is '0', expected 1, 2, ..."),
    "mlm: missing rank": (
        "mlm-scoring",
        '{"u": {"hyp_1": ' + HYP + ', "hyp_3": ' + HYP + "}}",
        ": utterance u has no hypothesis of rank 2, but one of rank 3 (complete the list",
    ),
    "mlm: utterance twice": (
        "mlm-scoring",
        '{"u": {"hyp_1": ' + HYP + '},\n"u": {"hyp_1": ' + HYP + "}}",
        ":2: key 'u' for the second time (keep one)",
    ),
    "mlm: id": (
        "mlm-scoring",
        ENTRY.replace("u", "a b").format(HYP),
        ":1: the utterance id 'a b' is empty or has white",
    ),
    "mlm: surrogate": ("mlm-scoring", ENTRY.format('{"score": 1, "text": "\\ud83d"}'), ":1: half a surrogate pair in"),
    "mlm: some references": (
        "mlm-scoring",
        '{"t": {"hyp_1": ' + HYP + ', "ref": "a"},\n"u": {"hyp_1": ' + HYP + "}}",
        ": utterance u has a hypothesis but no reference (give all references or none",
    ),
    "mlm: deep": ("mlm-scoring", "[" * 100_000, ": JSON nested too deeply (is it the right file?)"),
    "mlm: empty": ("mlm-scoring", "{}", ": no hypotheses here"),
    "nemo: NaN": ("nemo", "a\t-1\nb\tnan\n", ":2: the score is 'nan', expected a finite number"),
    "nemo: tab": ("nemo", "a\tb\t-1\nb\t-1\n", ":1: 3 columns, expected a text and a score (no tab within a text"),
    "nemo: lines": ("nemo", "a\t-1\na\t-1\na\t-1\n", ": 3 lines for the 2 utterances of "),
    "nemo: empty": ("nemo", "", ": 0 lines for the 2 utterances of "),
    "icefall: line": (
        "icefall",
        "u:\thyp=['a']\nu hyp=['a']\n",
        ":2: found \"u hyp=['a']\" (expected lines as utt:<TAB>",
    ),
    "icefall: list": ("icefall", "u:\thyp=['a', 3]\n", ":1: no list of words: \"['a', 3]\" (expected"),
    "icefall: code": ("icefall", "u:\thyp=[print('x')]\n", ":1: no list of words: \"[print('x')]\""),
    "icefall: open": ("icefall", "u:\thyp=['a]\n", ":1: no list of words"),
    "icefall: twice": ("icefall", "u:\thyp=['a']\nu:\thyp=['a']\n", ":2: hyp of utterance u for the second time"),
    "icefall: ref twice": ("icefall", "u:\tref=['a']\nu:\tref=['a']\n", ":2: ref of utterance u for the second time"),
    "icefall: ref alone": ("icefall", "u:\thyp=a\nt:\tref=a\n", ": utterance t has a reference but no hypothesis"),
    "tsv: NaN": ("tsv", "u\t1\tnan\ta\n", ":1: the score is 'nan', expected a finite number"),
    "tsv: comma": ("tsv", "u\t1\t-1,5\ta\n", ":1: the score is '-1,5', expected a finite number"),
    "tsv: tab": (
        "tsv",
        "u\t1\t-1\ta\nu\t2\t-1\ta\tb\n",
        ":2: 5 columns, expected 4: utt rank score text (no tab within",
    ),
    "tsv: no tab": ("tsv", "u\t1\t-1\ta\nu\t2\t-1\n", ":2: 3 columns, expected 4: utt rank score text"),
    "tsv: two": (
        "tsv",
        "u\ta\n",
        ":1: 2 columns, expected utt rank score text, separated by tabs (begin the file with",
    ),
    "tsv: rank": ("tsv", "u\t1.0\t-1\ta\n", ":1: the rank is '1.0', expected 1, 2, ..."),
    "tsv: rank twice": ("tsv", "u\t1\t-1\ta\nu\t1\t-1\ta\n", ":2: rank 1 of utterance u for the second time"),
    "tsv: rank missing": ("tsv", "u\t2\t-1\ta\n", ": utterance u has no hypothesis of rank 1, but one of rank 2"),
    "tsv: id": ("tsv", "\t1\t-1\ta\n", ":1: the utterance id '' is empty or has white space in it"),
    "tsv: column": (
        "tsv",
        "utt\tscore\ttext\tref\nu\t-1\ta\tb\n",
        ":1: column 'ref' in the header (name each of utt rank",
    ),
    "tsv: column twice": ("tsv", "utt\tscore\ttext\tutt\nu\t-1\ta\tu\n", ":1: column 'utt' in the header"),
    "tsv: unclear": (
        "tsv",
        "u\t1\t-1.5\nu\t2\t-2\n",
        ":1: is the second column ranks or scores? (begin the file with a",
    ),
    "tsv: header alone": ("tsv", "utt\tscore\ttext\n", ": no hypotheses here"),
    "jsonl: cut": (
        "jsonl",
        ROW.format([-1, -2]) + '\n{"utt": "v"',
        ":2: not JSON: Expecting ',' delimiter at character 12",
    ),
    "jsonl: Infinity": ("jsonl", ROW.format("[-1, -Infinity]"), ":1: -Infinity is no JSON number"),
    "jsonl: list": ("jsonl", '["u"]', ":1: the line is ['u'], expected an object"),
    "jsonl: columns": (
        "jsonl",
        '{"utt": "u", "nbest": []}',
        ":1: the columns are utt nbest, expected utt hyps scores, or",
    ),
    "jsonl: id": ("jsonl", '{"utt": 12, "hyps": ["a"]}', ":1: utt is 12, expected a string"),
    "jsonl: no scores": (
        "jsonl",
        '{"utt": "u", "hyps": ["a"]}',
        ':1: utterance u has no scores of the first pass (give "scores", a log score for each hypothesis; where',
    ),
    "jsonl: context": (
        "jsonl",
        '{"utt": "u", "hyps": ["a"], "scores": [-1], "context": "a b"}',
        ":1: context of utterance 'u' is 'a b', expected a list",
    ),
    "jsonl: utterances of a context": (
        "jsonl",
        '{"utt": "u", "hyps": ["a"], "scores": [-1], "context": ["a <s> b"]}',
        ":1: <s> in the context of utterance u, which stands between two utterances",
    ),
    "jsonl: contexts": (
        "jsonl",
        '{"utt": "u", "text": "a", "score": -1, "context": ["a"]}\n{"utt": "u", "text": "", "score": 0, "context": []}',
        ":2: another context for utterance u",
    ),
    "jsonl: scores": (
        "jsonl",
        ROW.format([-1]),
        ":1: scores of utterance 'u': 1 of them for 2 hypotheses (give one for",
    ),
    "jsonl: score": (
        "jsonl",
        ROW.format('[-1, "x"]'),
        ":1: the score of rank 2 of utterance 'u' is 'x', expected a fin",
    ),
    "jsonl: no hyps": ("jsonl", '{"utt": "u", "hyps": [], "scores": []}', ":1: utterance u has no hypotheses"),
    "jsonl: twice": ("jsonl", (ROW.format([-1, -2]) + "\n") * 2, ":2: utterance u for the second time (keep one list)"),
    "jsonl: rank": (
        "jsonl",
        '{"utt": "u", "rank": "1", "text": "a", "score": 1}',
        ":1: rank of utterance 'u' is '1', exp",
    ),
    "jsonl: rank 0": (
        "jsonl",
        '{"utt": "u", "rank": 0, "text": "a", "score": 1}',
        ":1: rank 0 of utterance u, expected 1",
    ),
    "jsonl: reference": (
        "jsonl",
        '{"utt": "u", "text": "a", "score": 1, "ref": "a"}\n{"utt": "u", "text": "b", "score": 1, "ref": "b"}\n',
        ":2: another reference for utterance u: 'a' and 'b'",
    ),
    "jsonl: some parts": (
        "jsonl",
        '{"utt": "u", "hyps": ["a"], "scores": [-1], "acoustic": [1]}',
        ":1: utterance u has acoustic alone, expected acoustic nolm lmonly and acoustic_scale",
    ),
    "jsonl: other sum": (
        "jsonl",
        '{"utt": "u", "hyps": ["a"], "scores": [-1], "acoustic": [1], "nolm": [2], "lmonly": [3], "acoustic_scale": 1}',
        ":1: the score of rank 1 of utterance 'u' is -1.0, but -6.0 from its parts",
    ),
    "csv: list": (
        "datasets",
        "utt,hyps,scores\nu,['a' 'b'],[-1 -2]\n",
        ":2: hyps: not JSON: Expecting value at character",
    ),
    "csv: cells": ("datasets", "utt,text,score\nu,a,b,-1\n", ":2: 4 cells, expected 3: utt text score (quote cells"),
    "csv: quote": ("datasets", 'utt,text,score\nu,"a"b,-1\n', ":2: not CSV: "),
    "csv: score": ("datasets", "utt,text,score\nu,a,nan\n", ":2: the score is 'nan', expected a finite number"),
    "csv: no score": (
        "datasets",
        "utt,text,score\nu,a,\n",
        ":2: score of utterance 'u' is None, expected a finite numb",
    ),
    "csv: columns": ("datasets", "utt,text\nu,a\n", ":2: the columns are utt text, expected utt hyps scores, or utt"),
}


@pytest.mark.parametrize(("name", "text", "message"), FILES.values(), ids=FILES)
def test_bad_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    path, utts = tmp_path / "lists", tmp_path / "utts"
    path.write_text(text)
    utts.write_text("u1\nu2\n")
    with pytest.raises(InputError) as error:
        FORMATS[name].read(path, FormatOptions(utts=utts))
    assert str(error.value).startswith(f"{path}{message}")
    assert error.value.mend
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["mlm-scoring", "nemo", "icefall", "tsv", "jsonl"])
def test_files_that_are_not_utf8(tmp_path: Path, name: str) -> None:
    path, utts = tmp_path / "lists", tmp_path / "utts"
    path.write_bytes(b"caf\xe9\n")
    utts.write_text("u1\n")
    with pytest.raises(InputError, match="lists:1: byte 4 of the line is not UTF-8 \\(convert the file with iconv"):
        FORMATS[name].read(path, FormatOptions(utts=utts))


@pytest.mark.parametrize(("name", "content"), [("dataset_info.json", "[]"), ("state.json", "[]"), ("state.json", "{")])
def test_a_saved_table_with_other_json(tmp_path: Path, name: str, content: str) -> None:
    pytest.importorskip("datasets")
    form, path = FORMATS["datasets"], tmp_path / "table"
    form.write(path, NbestSet((NbestList("u", (Hypothesis("a", -1.0),)),)), FormatOptions())
    (path / name).write_text(content)
    with pytest.raises(InputError, match=r"table: cannot be read: .*\(is the table whole\?\)"):
        form.read(path, FormatOptions())


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "utts").write_text("u\n")
    with pytest.raises(InputError) as error:
        FORMATS[name].read(tmp_path / "nowhere", FormatOptions(utts=tmp_path / "utts"))
    assert str(tmp_path / "nowhere") in str(error.value)
    assert error.value.mend


@pytest.mark.parametrize(
    ("utts", "message"),
    [
        ("", "utts: empty, expected utterance ids (correct --utts)"),
        ("u\nu\n", "utts:2: utterance u for the second time (give each utterance an id of its own)"),
        ("u\n\n", "utts:2: the utterance id '' is empty or has white space in it (make it one word)"),
        ('{"audio_filepath": "a/u.wav"}\n{"audio_filepath": "b/u.wav"}\n', "utts:2: utterance u for the second time"),
        ('{"text": "a"}\n', "utts:1: audio_filepath is None, expected a string (correct the value)"),
        ('{"audio_filepath": \n', "utts:1: not JSON: Expecting value at character"),
        (None, "utts: cannot be read: No such file or directory (correct --utts)"),
    ],
)
def test_bad_utterance_ids_of_nemo(tmp_path: Path, utts: str | None, message: str) -> None:
    (tmp_path / "beams.tsv").write_text("a\t-1\nb\t-2\n")
    if utts is not None:
        (tmp_path / "utts").write_text(utts)
    with pytest.raises(InputError) as error:
        FORMATS["nemo"].read(tmp_path / "beams.tsv", FormatOptions(utts=tmp_path / "utts"))
    assert str(error.value).startswith(f"{tmp_path}/{message}")


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        # Two beams of two in each list: once the second begins with a worse score than the first ended with.
        ([(-1, -2, -1, -3), (-5, -6, -2, -2.5), (-1, -2, -8, -9)], "in 2 of 3 lists the scores rise again after 2 "),
        ([(-1, -2, -1.5, -3, -2, -4), (-3, -4, -1, -2, -1, -3)], "in 2 of 2 lists the scores rise again after 2 "),
        ([(-1, -2, -3, -4), (-5, -6, -7, -7)], ""),
        ([(-4, -3, -2, -1), (-7, -6, -5, -2), (-1, -3, -2, -4)], ""),  # in no order, or in the opposite one
        ([(-1,), (-2,)], ""),
    ],
)
def test_beams_of_more_utterances_than_there_are_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scores: list[tuple[float, ...]], said: str
) -> None:
    path, utts = tmp_path / "beams.tsv", tmp_path / "utts"
    path.write_text("".join(f"a {place}\t{score}\n" for one in scores for place, score in enumerate(one)))
    utts.write_text("".join(f"u{number}\n" for number in range(len(scores))))
    assert len(FORMATS["nemo"].read(path, FormatOptions(utts=utts))) == len(scores)
    expected = f"{path}: {said}candidates: is {utts} of a part of this decode alone?"
    assert caplog.messages == ([expected] if said else [])


def test_nemo_needs_utterance_ids(tmp_path: Path) -> None:
    (tmp_path / "beams.tsv").write_text("a\t-1\n")
    with pytest.raises(InputError, match="do not say which utterance they are of \\(give --utts FILE: the manifest"):
        FORMATS["nemo"].read(tmp_path / "beams.tsv", FormatOptions())


GOOD = {
    "words_text": "u-1 a\nu-2 b\n",
    "acwt": "u-1 1\nu-2 2\n",
    "lmwt.nolm": "u-1 0\nu-2 0\n",
    "lmwt.lmonly": "u-1 1\nu-2 1\n",
}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("words_text", None, "1/words_text: cannot be read: No such file or directory (make the archives again"),
        ("acwt", None, "1/acwt: cannot be read: No such file or directory (make the archives again"),
        ("lmwt.nolm", None, "1/lmwt.nolm: cannot be read: No such file or directory (make the archives again"),
        ("lmwt.lmonly", None, "1/lmwt.lmonly: cannot be read: No such file or directory (make the archives again"),
        ("acwt", "u-1 1\nu-2 nan\n", "1/acwt:2: u-2 has the cost nan, expected a finite"),
        ("acwt", "u-1 1\n", "1/words_text:2: u-2 has a text but no score in "),
        ("lmwt.nolm", "u-1 1\nu-2 1\nu-3 1\n", "1/lmwt.nolm:3: u-3 has a score but no text in "),
        ("words_text", "", "1/acwt:1: u-1 has a score but no text in "),
        ("num_jobs", "2\n", "archives.2 of 2 is missing (make the archives again: stages 3 to 5"),
    ],
)
def test_bad_kaldi_archives(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    job = tmp_path / "archives.1"
    job.mkdir()
    for file, content in GOOD.items():
        (job / file).write_text(content)
    place = tmp_path / name if name == "num_jobs" else job / name
    place.write_text(text) if text is not None else place.unlink()
    with pytest.raises(InputError) as error:
        FORMATS["kaldi"].read(tmp_path, FormatOptions())
    begin = f"{tmp_path}: " if name == "num_jobs" else f"{tmp_path}/archives."
    assert str(error.value).startswith(begin + message)


def test_kaldi_archives_with_integers_alone(tmp_path: Path) -> None:
    (tmp_path / "archives.1").mkdir()
    (tmp_path / "archives.1" / "words").write_text("u-1 3\n")
    with pytest.raises(InputError, match="make it: utils/int2sym.pl -f 2- words.txt <words >words_text"):
        FORMATS["kaldi"].read(tmp_path, FormatOptions())


def test_kaldi_keys(tmp_path: Path) -> None:
    for file, content in GOOD.items():
        (tmp_path / file).write_text(content.replace("u-2", "u"))
    with pytest.raises(InputError) as error:
        FORMATS["kaldi"].read(tmp_path, FormatOptions())
    assert str(error.value).startswith(f"{tmp_path}/words_text:2: key u, expected <utt>-<rank> with ranks from 1")
