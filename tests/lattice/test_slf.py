"""HTK's lattices: words on nodes or links, scales, marks and fillers, and real ones by PocketSphinx."""

import io
import math
import shutil
import subprocess
from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.lattice.archives import read_lattices
from lorescore.lattice.lattices import Arc, Cost, Final, Lattice
from lorescore.lattice.slf import read_slf

SPHINX_TEST = Path("/usr/share/pocketsphinx/test/data")
SPHINX_MODEL = Path("/usr/share/pocketsphinx/model/en-us")

# Words on the links, as HVite writes them; `sil` is a word here.
HTK = """\
VERSION=1.0
UTTERANCE=/data/u1.mfc
lmname=bigram
lmscale=2.00   wdpenalty=-3.00
# a comment
N=4    L=4
I=0    t=0.00
I=1    t=0.30
I=2    t=0.50
I=3    t=0.90
J=0     S=0    E=1    W=!NULL               v=0  a=-10.50   l=-1.00
J=1     S=1    E=2    W=the                 v=1  a=-20.00   l=-0.50  r=-0.25
J=2     S=1    E=2    W=THE                 v=0  a=-21.00   l=-0.75
J=3     S=2    E=3    W=</s>                v=0  a=-5.00
"""


def slf(text: str) -> Lattice:
    return read_slf(io.BytesIO(text.encode()), Path("u1.slf"), "u1")


def test_words_on_links() -> None:
    """By hand: graph cost 2 x 1, 2 x 0.5 + 0.25 + 3, 2 x 0.75 + 3, 3; </s> has a penalty in HTK, !NULL has none."""
    assert slf(HTK) == Lattice(
        "u1",
        (
            Arc(0, 1, "", Cost(2.0, 10.5)),
            Arc(1, 2, "the", Cost(4.25, 20.0)),
            Arc(1, 2, "THE", Cost(4.5, 21.0)),
            Arc(2, 3, "", Cost(3.0, 5.0)),
        ),
        {3: Final()},
    )


def test_the_acoustic_scale_of_the_header() -> None:
    lattice = slf(HTK.replace("lmname=bigram", "acscale=0.5 prscale=4"))
    assert lattice.arcs[1].cost == Cost(5.0, 10.0)


def test_long_names_and_a_base() -> None:
    link = "J=0 START=0 END=1 WORD=a acoustic=-2 language=-1"
    (arc,) = slf(f"base=10 wdpenalty=-1\nNODES=2 LINKS=1\nI=0\nI=1\n{link}\n").arcs
    assert (arc.word, arc.cost.acoustic, arc.cost.graph) == ("a", 2 * math.log(10), 2 * math.log(10))


def test_probabilities() -> None:
    (arc,) = slf("base=0\nN=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 W=a a=0.125 l=0.5\n").arcs
    assert arc.cost == Cost(math.log(2), math.log(8))


def test_words_on_nodes() -> None:
    """A link has the word of the node that it enters. The start comes first, whatever its number."""
    text = """\
VERSION=1.0
start=2 end=0
N=4 L=4
I=0 t=0.9 W=!SENT_END v=1
I=1 t=0.3 W=a v=2
I=2 t=0.0 W=!SENT_START v=1
I=3 t=0.3 W=[NOISE] v=1
J=0 S=2 E=1 a=-1.5 p=0.9
J=1 S=2 E=3 a=-2.5 p=0.1
J=2 S=1 E=0 a=-0.0
J=3 S=3 E=1 a=-0.5
"""
    assert slf(text) == Lattice(
        "u1",
        (
            Arc(0, 2, "a", Cost(0.0, 1.5)),
            Arc(0, 3, "", Cost(0.0, 2.5)),
            Arc(2, 1, "", Cost()),
            Arc(3, 2, "a", Cost(0.0, 0.5)),
        ),
        {1: Final()},
    )


# As SRILM writes it with -htk-words-on-nodes -htk-scores-on-nodes: only l stays on the links.
ON_NODES = """\
VERSION=1.1
acscale=0.5 lmscale=2 prscale=4 wdpenalty=-1
N=4 L=4
I=0 W=!NULL
I=1 W=the a=-20 r=-0.25
I=2 W=sun a=-30
I=3 W=!NULL a=-4
J=0 S=0 E=1 l=-1
J=1 S=0 E=2 l=-2
J=2 S=1 E=3 l=-0.5
J=3 S=2 E=3 l=-0.5 a=-6
"""


def test_scores_on_nodes_are_those_of_the_links_that_enter_them() -> None:
    """By hand: 2 x 1 + 4 x 0.25 + 1 and 0.5 x 20; 2 x 2 + 1 and 0.5 x 30; a score of the link's own comes first."""
    assert slf(ON_NODES).arcs == (
        Arc(0, 1, "the", Cost(4.0, 10.0)),
        Arc(0, 2, "sun", Cost(5.0, 15.0)),
        Arc(1, 3, "", Cost(1.0, 2.0)),
        Arc(2, 3, "", Cost(1.0, 3.0)),
    )
    lattice = slf(ON_NODES.replace("I=0 W=!NULL", "I=0 W=!NULL a=-8"))
    assert (lattice.num_states, lattice.arcs[0]) == (5, Arc(0, 1, "", Cost(0.0, 4.0)))
    assert best_words(lattice) == "the"
    with pytest.raises(InputError, match="u1.slf:5: expected a= and a finite number, found 'x'"):
        slf(ON_NODES.replace("a=-20", "a=x"))


def test_the_word_of_the_start_is_not_lost() -> None:
    lattice = slf("N=2 L=1\nI=0 W=hello\nI=1 W=world\nJ=0 S=0 E=1 a=-1\n")
    assert [(arc.source, arc.target, arc.word) for arc in lattice.arcs] == [(0, 1, "hello"), (1, 2, "world")]
    assert lattice.finals == {2: Final()}


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("don't", "don't"),
        (r"\'em", "'em"),
        ("'em", "'em"),
        ("'n'", "'n'"),
        ('"two words"', "two words"),
        (r'"a \"b\""', 'a "b"'),
        (r"caf\303\251", "café"),
        ("żółw", "żółw"),
        ("a=b", "a=b"),
    ],
)
def test_quotes_and_escapes(written: str, word: str) -> None:
    (arc,) = slf(f"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 W={written} a=-1\n").arcs
    assert (arc.word, arc.cost.acoustic) == (word, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("a=-20.00", "a=x", 12, "expected a= and a finite number, found 'x'"),
        ("a=-20.00", "a=nan", 12, "expected a= and a finite number, found 'nan'"),
        ("l=-0.50", "l=-inf", 12, "expected l= and a finite number, found '-inf'"),
        ("S=1    E=2    W=the", "S=-1    E=2    W=the", 12, "expected S= and a number from 0, found '-1'"),
        ("S=1    E=2    W=the", "E=2    W=the", 12, "expected S= and a number from 0, found ''"),
        ("S=1    E=2    W=the", "S=1    E=4    W=the", 12, "a link of node 4, which is not defined"),
        ("W=the", "W the", 12, "expected NAME=value, found 'W the'"),
        ("I=3    t=0.90\n", "", None, "3 nodes, the header says 4: the file was cut off or changed"),
        ("I=3 ", "I=4 ", None, "node 3 is missing"),
        (HTK[HTK.index("J=3") :], "", None, "3 links, the header says 4: the file was cut off or changed"),
        ("N=4    L=4", "N=4", None, "expected L= and a number from 0, found ''"),
        ("lmscale=2.00", "lmscale=two", None, "expected lmscale= and a finite number, found 'two'"),
        ("lmscale=2.00", "base=-2", None, "base=-2, expected the base of the logarithms, or 0 for probabilities"),
        ("lmscale=2.00", "base=0", 11, "l=-1, expected a probability above 0"),
        ("lmscale=2.00", "end=9", None, "the end may be any of the nodes [9], expected one, or end= and a node"),
        ("S=2    E=3", "S=2    E=2", None, "the start may be any of the nodes [0, 3], expected one, or start="),
        ("UTTERANCE=/data/u1.mfc", "SUBLAT=digits", 2, "a sub-lattice, which this reader does not take"),
        ("t=0.90", "L=digits", 10, "a sub-lattice, which this reader does not take"),
    ],
)
def test_bad_lattices_are_named(old: str, new: str, line: int | None, message: str) -> None:
    assert HTK.count(old) == 1
    with pytest.raises(InputError) as error:
        slf(HTK.replace(old, new))
    assert str(error.value).startswith(f"u1.slf:{line}: {message}" if line else f"u1.slf: {message}")
    assert error.value.mend and "\n" not in str(error.value)


def test_a_circle_has_no_start() -> None:
    with pytest.raises(InputError, match="u1.slf: no node can be the start, expected one, or start= and a node"):
        slf("N=2 L=2\nI=0\nI=1\nJ=0 S=0 E=1 W=a\nJ=1 S=1 E=0 W=b\n")


def test_bytes_that_are_not_utf_8() -> None:
    with pytest.raises(InputError, match="u1.slf:2: not UTF-8 text"):
        read_slf(io.BytesIO(b"N=2 L=1\nI=0 W=caf\xe9\n"), Path("u1.slf"), "u1")


def best_words(lattice: Lattice) -> str:
    """The words of the path with the lowest cost."""
    best = {0: (0.0, "")}
    for state in lattice.topological_order:
        for arc in lattice.leaving[state]:
            cost, words = best[state]
            cost += arc.cost.graph + arc.cost.acoustic
            if arc.target not in best or cost < best[arc.target][0]:
                best[arc.target] = (cost, f"{words} {arc.word}".strip())
    return min(best[state] for state in lattice.finals)[1]


def has_path(lattice: Lattice, words: list[str]) -> bool:
    """Whether a word sequence is a path."""
    reached = {0: {0}}  # state: how many of the words may have been read
    for state in lattice.topological_order:
        for arc in lattice.leaving[state]:
            for read in reached.get(state, ()):
                if not arc.word or words[read : read + 1] == [arc.word]:
                    reached.setdefault(arc.target, set()).add(read + bool(arc.word))
    return any(len(words) in reached.get(state, ()) for state in lattice.finals)


def test_lattices_by_pocketsphinx(tmp_path: Path) -> None:
    """Its hypothesis is in the lattice; its links have acoustic scores alone, so that it need not be the best path."""
    program = shutil.which("pocketsphinx_batch")
    if program is None or not SPHINX_TEST.is_dir() or not SPHINX_MODEL.is_dir():
        pytest.skip("no PocketSphinx: apt-get install pocketsphinx pocketsphinx-en-us pocketsphinx-testdata")
    (tmp_path / "ids").write_text("goforward\n")
    options = {
        "-hmm": SPHINX_MODEL / "en-us",
        "-lm": SPHINX_MODEL / "en-us.lm.bin",
        "-dict": SPHINX_MODEL / "cmudict-en-us.dict",
        "-adcin": "yes",
        "-cepdir": SPHINX_TEST,
        "-cepext": ".raw",
        "-ctl": tmp_path / "ids",
        "-outlatdir": tmp_path / "lat",
        "-outlatfmt": "htk",
        "-hyp": tmp_path / "hyp",
    }
    (tmp_path / "lat").mkdir()
    command = [program, *(str(part) for option in options.items() for part in option)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    hyp = (tmp_path / "hyp").read_text().split(" (")[0]
    assert hyp == "go forward ten meters"

    (lattice,) = read_lattices(tmp_path / "lat")
    text = (tmp_path / "lat" / "goforward.lat").read_text()
    assert lattice.utt == "goforward"
    assert len(lattice.arcs) == text.count("\nJ=") > 100
    assert lattice.num_states == text.count("\nI=")
    assert {arc.word for arc in lattice.arcs} >= {"", "go", "forward", "ten", "meters"}
    assert not any(arc.word.startswith(("!", "<", "[")) for arc in lattice.arcs)
    assert has_path(lattice, hyp.split())
    assert not has_path(lattice, hyp.split()[:-1])
    assert best_words(lattice).startswith("go forward ten")
