"""Files as other programs write them, and what is read from them; what is written, to the letter."""

from pathlib import Path

import pytest

from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nbest.formats import FORMATS, FormatOptions, find_format
from lorescore.nbest.lists import CostParts

MLM_SCORING = """{
\t"84-1-0": {
\t\t"hyp_2": {"score": -20, "text": " the worst"},
\t\t"hyp_1": {"score": -1.2345678901234567, "text": "the  best "},
\t\t"ref": "the reference",
\t\t"duration": 3.5
\t},
\t"174-2-10": {"hyp_1": {"score": -1e-05, "text": ""}, "ref": "so"}
}"""
NEMO = "the son set\t-1.5\nthe sun set\t-2.5\nhi\t-0.25\nhi\t-0.25\n"
MANIFEST = (
    '{"audio_filepath": "/audio/84-1-0.wav", "duration": 2.1, "text": "the sun set"}\n'
    '{"audio_filepath": "174-2-10.flac", "duration": 1.0, "text": "hi"}\n'
)
ICEFALL = (
    "84-1-0-0:\tref=['THE', \"SUN'S\", 'SET']\n"
    "84-1-0-0:\thyp=['THE', 'SON', '\\u7af9']\n"
    "84-1-0-0:\ttimestamp_hyp=[0.040, 0.360]\n"
    "174-2-10-7:\tref=[]\n"
    "174-2-10-7:\thyp=AH WELL\n"
)


def lists_of(nbest: NbestSet) -> dict[str, list[tuple[str, float]]]:
    return {one.utt: [(hypothesis.text, hypothesis.score) for hypothesis in one.hypotheses] for one in nbest}


def read(path: Path, name: str, options: FormatOptions | None = None) -> NbestSet:
    """Read a file that is to be recognised as of this format."""
    form, _ = find_format(path)
    assert form.name == name
    return form.read(path, options or FormatOptions())


def test_mlm_scoring(tmp_path: Path) -> None:
    """The rank is the key's, the text is stripped as mlm-scoring does, and the score keeps all its digits."""
    path = tmp_path / "hyps.json"
    path.write_text(MLM_SCORING)
    nbest = read(path, "mlm-scoring")
    assert lists_of(nbest) == {
        "174-2-10": [("", -1e-05)],
        "84-1-0": [("the best", -1.2345678901234567), ("the worst", -20.0)],
    }
    assert nbest.refs == {"84-1-0": "the reference", "174-2-10": "so"}
    assert nbest.info["source"] == "mlm-scoring"


def test_nemo_with_a_manifest(tmp_path: Path) -> None:
    """Ids and references are the manifest's, two lines are of each utterance, and the copy that fills is taken off."""
    path, manifest = tmp_path / "preds_out_width2_alpha0.5_beta0.5.tsv", tmp_path / "manifest.json"
    path.write_text(NEMO)
    manifest.write_text(MANIFEST)
    nbest = read(path, "nemo", FormatOptions(utts=manifest))
    assert lists_of(nbest) == {"174-2-10": [("hi", -0.25)], "84-1-0": [("the son set", -1.5), ("the sun set", -2.5)]}
    assert nbest.refs == {"84-1-0": "the sun set", "174-2-10": "hi"}
    manifest.write_text('{"id": "b", "audio_filepath": "x.wav", "text": ""}\n{"id": "a", "audio_filepath": "x.wav"}\n')
    nbest = read(path, "nemo", FormatOptions(utts=manifest))
    assert [one.utt for one in nbest] == ["a", "b"]
    assert nbest.refs == {}  # empty ones in a manifest stand for none


def test_nemo_in_the_order_of_a_list(tmp_path: Path) -> None:
    """Written in the order of the manifest as NeMo's rescorer reads it, every utterance with as many lines."""
    nbest = NbestSet(
        (
            NbestList("a", (Hypothesis("x", -1.0),)),
            NbestList("b", (Hypothesis("y", -2.0), Hypothesis("", -3.25))),
        )
    )
    path, utts = tmp_path / "beams.tsv", tmp_path / "wav.scp"
    utts.write_text("b sox b.flac |\na sox a.flac |\n")
    FORMATS["nemo"].write(path, nbest, FormatOptions(utts=utts))
    assert path.read_text() == "y\t-2.0\n\t-3.25\nx\t-1.0\nx\t-1.0\n"
    assert read(path, "nemo", FormatOptions(utts=utts)).lists == nbest.lists


def test_icefall(tmp_path: Path) -> None:
    path = tmp_path / "recogs-test-clean-beam_size_4.txt"
    path.write_text(ICEFALL)
    nbest = read(path, "icefall")
    assert lists_of(nbest) == {"174-2-10-7": [("AH WELL", 0.0)], "84-1-0-0": [("THE SON 竹", 0.0)]}
    assert nbest.refs == {"84-1-0-0": "THE SUN'S SET", "174-2-10-7": ""}
    FORMATS["icefall"].write(path, nbest, FormatOptions())
    assert path.read_text(encoding="utf-8") == (
        "174-2-10-7:\tref=[]\n174-2-10-7:\thyp=['AH', 'WELL']\n"
        "84-1-0-0:\tref=['THE', \"SUN'S\", 'SET']\n84-1-0-0:\thyp=['THE', 'SON', '竹']\n"
    )


def kaldi_job(folder: Path, job: int, **files: str) -> None:
    """archives.JOB; `_` in a file's name stands for its dot."""
    (folder / f"archives.{job}").mkdir(parents=True)
    for name, text in files.items():
        (folder / f"archives.{job}" / name.replace("lmwt_", "lmwt.")).write_text(text)


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """What rnnlm/lmrescore_nbest.sh leaves of two jobs."""
    folder = tmp_path / "decode_rnnlm"
    kaldi_job(
        folder,
        1,
        words_text="84-1-0-1 the son set\n84-1-0-2 the sun set\n",
        acwt="84-1-0-1 100\n84-1-0-2 90\n",
        lmwt_nolm="84-1-0-1 1.5\n84-1-0-2 2.5\n",
        lmwt_withlm="84-1-0-1 4.5\n84-1-0-2 7.25\n",
        lmwt_lmonly="84-1-0-1 3\n84-1-0-2 4.75\n",
        lmwt_rnn="84-1-0-1 2\n84-1-0-2 3\n",
        words="84-1-0-1 3 1 2\n84-1-0-2 3 5 2\n",
    )
    kaldi_job(folder, 2, words_text="9-1\n", acwt="9-1 5\n", lmwt_nolm="9-1 0.5\n", lmwt_withlm="9-1 0.75\n")
    (folder / "num_jobs").write_text("2\n")
    return folder


def test_kaldi(archives: Path) -> None:
    """At 0.1: 10 + 1.5 + 3 is 14.5, 9 + 2.5 + 4.75 is 16.25, 0.5 + 0.5 + 0.25 is 1.25."""
    nbest = read(archives, "kaldi", FormatOptions(acoustic_scale=0.1))
    assert lists_of(nbest) == {"84-1-0": [("the son set", -14.5), ("the sun set", -16.25)], "9": [("", -1.25)]}
    assert nbest.lists[0].hypotheses[0].parts == CostParts(100.0, 1.5, 3.0)
    assert nbest.lists[1].hypotheses[0].parts == CostParts(5.0, 0.5, 0.25)  # lmonly is withlm less nolm
    assert nbest.info["acoustic_scale"] == 0.1
    assert read(archives / "archives.1", "kaldi").lists[0].scores == [-104.5, -97.25]  # one job, at 1


def test_kaldi_of_whole_costs(tmp_path: Path) -> None:
    """Kaldi's scripts paste the graph costs, so the files are there, with zeros."""
    nbest = NbestSet((NbestList("u", (Hypothesis("a b", -1.5), Hypothesis("", -2.0))),))
    FORMATS["kaldi"].write(tmp_path / "out", nbest, FormatOptions())
    written = {path.name: path.read_text() for path in (tmp_path / "out" / "archives.1").iterdir()}
    zeros = "u-1 0.0\nu-2 0.0\n"
    assert written == {
        "words_text": "u-1 a b\nu-2\n",
        "acwt": "u-1 1.5\nu-2 2.0\n",
        **dict.fromkeys(("lmwt.nolm", "lmwt.lmonly", "lmwt.withlm"), zeros),
    }
    assert (tmp_path / "out" / "num_jobs").read_text() == "1\n"
    assert read(tmp_path / "out", "kaldi").lists == nbest.lists


@pytest.mark.parametrize(
    "text",
    [
        "utt\trank\tscore\ttext\nu\t2\t-2.5\ta cat\nu\t1\t-1.5\tthe cat\nt\t1\t-1e-3\t\n",
        "u\t2\t-2.5\ta cat\nu\t1\t-1.5\tthe cat\nt\t1\t-1e-3\t\n",
        "text\tutt\tscore\nthe cat\tu\t-1.5\n\tt\t-0.001\na cat\tu\t-2.5\n",
        "u\t-1.5\tthe cat\r\nt\t-0.001\t\r\nu\t-2.5\ta  cat\r\n",
    ],
    ids=["header", "no header", "header without rank", "no header, no rank"],
)
def test_tsv(tmp_path: Path, text: str) -> None:
    (tmp_path / "lists.tsv").write_text(text, newline="")
    nbest = read(tmp_path / "lists.tsv", "tsv")
    assert lists_of(nbest) == {"t": [("", -0.001)], "u": [("the cat", -1.5), ("a cat", -2.5)]}


RECORDS = [
    '{"utt": "u", "ref": "the cat", "hyps": ["the cat", "a cat"], "scores": [-1.5, -2]}\n'
    '{"utt": "t", "ref": "", "hyps": [""], "scores": [-0.5], "speaker": 3}\n',
    '{"utt": "u", "ref": "the cat", "hyps": [{"text": "the cat", "score": -1.5}, {"text": "a cat", "score": -2}]}\n\n'
    '{"utt": "t", "ref": "", "hyps": [{"text": "", "score": -0.5}]}\n',
    '{"utt": "u", "rank": 2, "text": "a cat", "score": -2, "ref": "the cat"}\n'
    '{"utt": "u", "rank": 1, "text": "the cat", "score": -1.5, "ref": "the cat"}\n'
    '{"utt": "t", "text": "", "score": -0.5, "ref": ""}\n',
]
TABLES = [
    'utt,ref,hyps,scores\nu,the cat,"[""the cat"", ""a cat""]","[-1.5, -2]"\nt,,"[""""]",[-0.5]\n',
    'utt,rank,score,text,ref\nu,2,-2,a cat,the cat\nu,1,-1.5,"the\n cat",the cat\nt,1,-0.5,,\n',
]


@pytest.mark.parametrize(("name", "text"), [("jsonl", text) for text in RECORDS] + [("datasets", t) for t in TABLES])
def test_records(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "lists").write_text(text)
    nbest = read(tmp_path / "lists", name)
    assert lists_of(nbest) == {"t": [("", -0.5)], "u": [("the cat", -1.5), ("a cat", -2.0)]}
    assert nbest.refs == {"u": "the cat", "t": ""}


def test_records_with_costs_in_parts(tmp_path: Path) -> None:
    """0.5 x 10 + 1 + 2.5 is 8.5."""
    path = tmp_path / "lists.jsonl"
    path.write_text(
        '{"utt": "u", "hyps": ["a"], "scores": [-8.5], "acoustic": [10], "nolm": [1], "lmonly": [2.5], '
        '"acoustic_scale": 0.5}\n'
    )
    nbest = read(path, "jsonl")
    assert nbest.lists[0].hypotheses[0] == Hypothesis("a", -8.5, CostParts(10.0, 1.0, 2.5))
    assert nbest.info["acoustic_scale"] == 0.5


def test_references_of_a_file_of_their_own_take_the_place_of_the_lists(tmp_path: Path) -> None:
    path, ref = tmp_path / "lists.jsonl", tmp_path / "text"
    path.write_text('{"utt": "u", "ref": "old", "hyps": ["a"], "scores": [-1]}\n')
    ref.write_text("u new words\n")
    plain, given = read(path, "jsonl"), read(path, "jsonl", FormatOptions(ref=ref))
    assert (plain.refs, given.refs) == ({"u": "old"}, {"u": "new words"})
    assert plain.info["input_checksum"] != given.info["input_checksum"]
