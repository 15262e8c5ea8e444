"""Where a hypothesis can be changed and to what, and the change itself.

A site is one replaceable word, or for other word boundaries one or two; its draw says whether it is changed at a rate
and its replacement is drawn already, so that a higher rate changes the same sites in the same way and more of them.

A replacement is in the case of the words that it replaces: `SUN` becomes SON, `Sun` Son, `sun` son. A word of one
letter (`I`) counts as upper case where its whole hypothesis is in upper case, but for tokens such as `<unk>` and
`[noise]`, and as capitalised elsewhere. One that is then what stands there already is none (`STRASSE` for straße).
Punctuation that is attached to a word stays (`sun,` becomes son,), where the dictionary does not have it so itself.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress, pairwise

from lorescore.nbest import Hypothesis
from lorescore.perturb.draws import Draw
from lorescore.perturb.punctuation import TOKEN, bare, looked_up


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What a site can be replaced by.

    Attributes:
        replacements: Words in lower case.
        cumulative: Their probabilities, summed up; empty where all are as likely.
    """

    replacements: tuple[tuple[str, ...], ...]
    cumulative: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.replacements)

    def pick(self, draw: Draw) -> tuple[str, ...]:
        """One of them; there must be some."""
        if not self.cumulative:
            return self.replacements[draw.index(len(self.replacements))]
        index = bisect_right(self.cumulative, draw.fraction())
        return self.replacements[min(index, len(self.replacements) - 1)]  # the sum may round to below 1

    def only(self, wanted: Sequence[bool]) -> "Alternatives":
        """Some of them, with the odds that they have among themselves."""
        if all(wanted):
            return self
        weights = list(compress((high - low for low, high in pairwise((0.0, *self.cumulative))), wanted))
        cumulative = tuple(accumulate(weight / sum(weights) for weight in weights))
        return Alternatives(tuple(compress(self.replacements, wanted)), cumulative)


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a hypothesis that can be changed.

    Attributes:
        start: Position of its first word, from 0.
        length: Its words.
        uniform: It is changed where this is below the rate.
        replacement: The words to put there, in the case of those that are there.
    """

    start: int
    length: int
    uniform: float
    replacement: tuple[str, ...]


def word_sites(
    words: Sequence[str], alternatives: Callable[[str], Alternatives], draw: Callable[[int, str], Draw]
) -> list[Site]:
    """A site for every word that has alternatives.

    Args:
        words: Of a hypothesis.
        alternatives: Of a word; empty where it has none.
        draw: For a position and the word there.
    """
    is_upper = is_upper_case(words)
    sites = []
    for position, written in enumerate(words):
        apart, found = looked_up(written, alternatives)
        if choices := _other_than(apart.word, found, is_upper):
            drawn = draw(position, apart.word)
            replacement = in_case_of((apart.word,), choices.pick(drawn), is_upper)
            sites.append(Site(position, 1, drawn.uniform, apart.around(replacement)))
    return sites


def boundary_sites(
    words: Sequence[str],
    replacements: Callable[[tuple[str, ...]], tuple[tuple[str, ...], ...]],
    draw: Callable[[int, str], Draw],
) -> list[Site]:
    """Sites of one or two words, none of which overlap: of two that would, the left one stays.

    Args:
        words: Of a hypothesis.
        replacements: Of one word or of two adjacent ones.
        draw: For a position and the word there.
    """
    is_upper = is_upper_case(words)
    sites: list[Site] = []
    free = 0  # the first position after the sites so far
    for position, word in enumerate(words):
        if position < free:
            continue
        spans = [tuple(words[position : position + length]) for length in (1, 2) if position + length <= len(words)]
        cased = [(span, one) for span in spans for one in _respelt(span, replacements, is_upper)]
        choices = [(span, replacement) for span, replacement in cased if replacement != span]
        if choices:
            drawn = draw(position, word)
            span, replacement = choices[drawn.index(len(choices))]
            sites.append(Site(position, len(span), drawn.uniform, replacement))
            free = position + len(span)
    return sites


def _respelt(
    span: tuple[str, ...],
    replacements: Callable[[tuple[str, ...]], tuple[tuple[str, ...], ...]],
    text_is_upper: bool,
) -> Iterator[tuple[str, ...]]:
    """The replacements of one or two words in their case; none where there is punctuation between the two."""
    if found := replacements(span):
        yield from (in_case_of(span, one, text_is_upper) for one in found)
        return
    parts = [bare(word) for word in span]
    if not any(one.after for one in parts[:-1]) and not any(one.before for one in parts[1:]):
        inner, around = tuple(one.word for one in parts), parts[0]._replace(after=parts[-1].after)
        for one in replacements(inner) if inner != span else ():
            yield around.around(in_case_of(inner, one, text_is_upper))


def change(hypothesis: Hypothesis, sites: Iterable[Site]) -> Hypothesis:
    """The hypothesis with some of its sites changed; its score stays. Without sites it is the very same object."""
    words = hypothesis.words
    ordered = sorted(sites, key=lambda site: site.start, reverse=True)  # from the end, so that positions stay valid
    for site in ordered:
        words[site.start : site.start + site.length] = site.replacement
    return replace(hypothesis, text=" ".join(words)) if ordered else hypothesis


def is_upper_case(words: Iterable[str]) -> bool:
    """Whether a hypothesis is in upper case, but for tokens that are no words."""
    return " ".join(word for word in words if not TOKEN.fullmatch(word)).isupper()


def _other_than(word: str, choices: Alternatives, text_is_upper: bool) -> Alternatives:
    """The alternatives that are not the word itself when they are in its case."""
    there, upper = (word,), word.upper()
    # Nearly all differ in upper case, too, which is seen in a tenth of the time.
    return choices.only(
        [one[0].upper() != upper or in_case_of(there, one, text_is_upper) != there for one in choices.replacements]
    )


def in_case_of(words: Sequence[str], replacement: Sequence[str], text_is_upper: bool) -> tuple[str, ...]:
    """A replacement in the case of the words that it replaces; what is more than these is cased like the last."""
    cased = []
    for index, new in enumerate(replacement):
        word = words[min(index, len(words) - 1)]
        if word.isupper() and (len(word) > 1 or text_is_upper):
            cased.append(new.upper())
        elif word[0].isupper() and index < len(words):
            cased.append(new.capitalize())
        else:
            cased.append(new)
    return tuple(cased)
