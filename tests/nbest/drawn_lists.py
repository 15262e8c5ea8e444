"""Hypothesis strategies for N-best sets: odd words, empty hypotheses, lists of any length, costs in parts."""

from hypothesis import strategies as st

from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.nbest.lists import CostParts

# Words are what ASCII white space separates. A byte-order mark at the start of a file is no part of its first record.
characters = st.characters(codec="utf-8", exclude_characters=" \t\n\r\f\v\ufeff")
ODD_WORDS = [
    "a\u00a0b",
    "a\u2028b",
    "\u3000",
    "-1",
    "nan",
    "żółw",
    "猫",
    '"',
    "don't",
    '"a,b"',
    "\\t",
    "['a']",
    "\x00",
    "#",
]
words = st.text(characters, min_size=1, max_size=5) | st.sampled_from(ODD_WORDS)
texts = st.lists(words, max_size=3).map(" ".join)
utts = st.sampled_from(["utt", "utt-1", "utt-1-10", "utt-10", "-", "1", "a:b", "a=b"]) | words
utts = utts.filter(lambda utt: not utt.startswith("{"))  # in a list of ids, that begins a NeMo manifest
scores = st.floats(allow_nan=False, allow_infinity=False)
costs = st.floats(-1e6, 1e6)


@st.composite
def nbest_sets(draw: st.DrawFn) -> NbestSet:
    """A set with or without references, its costs in parts or not."""
    in_parts = draw(st.booleans())
    scale = draw(st.sampled_from([1.0, 0.1, 0.0625]))
    graph_costs = costs.filter(bool)  # Kaldi's archives of costs that are not in parts have zeros there
    parts = st.builds(CostParts, costs, graph_costs, costs)
    one = (
        st.builds(lambda text, part: Hypothesis.from_parts(text, part, scale), texts, parts)
        if in_parts
        else st.builds(Hypothesis, texts, scores)
    )
    lists = draw(st.dictionaries(utts, st.lists(one, min_size=1, max_size=11).map(tuple), min_size=1, max_size=4))
    refs = {utt: draw(texts) for utt in lists} if draw(st.booleans()) else {}
    info = {"source": "drawn"} | ({"acoustic_scale": scale} if in_parts else {})
    return NbestSet(tuple(NbestList(utt, lists[utt]) for utt in sorted(lists)), refs, info)
