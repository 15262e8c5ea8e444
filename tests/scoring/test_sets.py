"""Cost files of N-best directories: written once for each rescorer and lists, each text scored once, cached or not."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.nbest import (
    Hypothesis,
    NbestList,
    NbestSet,
    cost_file,
    list_costs,
    read_costs,
    read_nbest_dir,
    write_nbest_dir,
)
from lorescore.progress import Progress, silent
from lorescore.scoring import sets
from lorescore.scoring.cache import ScoreCache, cache_version
from lorescore.scoring.directories import Scoring
from lorescore.scoring.options import ScoringOptions, default_device
from lorescore.scoring.part import Part
from lorescore.scoring.rescorer import Rescorer
from lorescore.scoring.sets import rescorer_checksum, score_sets
from lorescore.stamp import Stamp

TAG = "tiny"
Item = TypeVar("Item")


class Loader:
    """Loads the rescorer, and counts how often."""

    def __init__(self, rescorer_dir: Path) -> None:
        self.rescorer_dir, self.calls = rescorer_dir, 0

    def __call__(self) -> Rescorer:
        self.calls += 1
        return Rescorer.load(self.rescorer_dir)


@pytest.fixture
def rescorer_dir(tmp_path: Path) -> Path:
    new_rescorer(tmp_path, "llama", plm_text="lower").save(tmp_path / TAG)
    return tmp_path / TAG


@pytest.fixture
def clean_dir(tmp_path: Path) -> Path:
    write_nbest_dir(tmp_path / "clean", toy_nbest(5, seed=1))
    return tmp_path / "clean"


def perturbed(nbest: NbestSet, old: str, new: str) -> NbestSet:
    """The lists with a word for another in the even utterances."""
    lists = []
    for number, one in enumerate(nbest):
        texts = [text.replace(old, new) if number % 2 == 0 else text for text in one.texts]
        hypotheses = tuple(map(Hypothesis, texts, one.scores))
        lists.append(NbestList(one.utt, hypotheses))
    return replace(nbest, lists=tuple(lists), info={})


def texts_of(*sets: NbestSet) -> set[str]:
    return {text for nbest in sets for one in nbest for text in one.texts}


def costs(nbest_dir: Path) -> list[list[float]]:
    return list_costs(nbest_dir, read_nbest_dir(nbest_dir), TAG)


def score_dirs(
    load: Callable[[], Rescorer], rescorer_dir: Path, nbest_dirs: Sequence[Path], *args: Any, **options: Any
) -> int:
    return score_sets(load, rescorer_dir, {path: read_nbest_dir(path) for path in nbest_dirs}, *args, **options)


def test_costs_are_the_negative_scores(rescorer_dir: Path, clean_dir: Path) -> None:
    lists = read_nbest_dir(clean_dir)
    assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == len(texts_of(lists)) == 20
    scores = Rescorer.load(rescorer_dir).score([one.texts for one in lists])
    for one, expected in zip(costs(clean_dir), scores, strict=True):
        assert one == pytest.approx([-score for score in expected], abs=1e-4)
    assert list(read_costs(cost_file(clean_dir, TAG))) == [key for one in lists for key in one.nbest_keys()]


def test_finished_costs_are_left_as_they_are(rescorer_dir: Path, clean_dir: Path) -> None:
    load = Loader(rescorer_dir)
    score_dirs(load, rescorer_dir, [clean_dir])
    written = cost_file(clean_dir, TAG).stat()
    assert score_dirs(load, rescorer_dir, [clean_dir]) == 0
    assert (load.calls, cost_file(clean_dir, TAG).stat().st_mtime_ns) == (1, written.st_mtime_ns)


def test_other_lists_are_scored_again(rescorer_dir: Path, clean_dir: Path) -> None:
    score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    before = costs(clean_dir)
    write_nbest_dir(clean_dir, perturbed(read_nbest_dir(clean_dir), "door", "sea"))
    assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) > 0
    after = costs(clean_dir)
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, False, True, False, True]


def test_another_rescorer_of_the_same_tag_scores_again(rescorer_dir: Path, clean_dir: Path) -> None:
    score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    before = costs(clean_dir)
    rescorer = Rescorer.load(rescorer_dir)
    rescorer.scorer.model.requires_grad_(True)  # saved as fully fine-tuned
    for parameter in rescorer.scorer.model.parameters():
        parameter.data.mul_(0.5)
    rescorer.save(rescorer_dir)
    assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 20
    assert all(one != other for one, other in zip(before, costs(clean_dir), strict=True))


def test_the_files_of_a_rescorer_are_read_once_while_they_stay(
    rescorer_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rescorer_checksum(rescorer_dir)
    read: list[Path] = []
    monkeypatch.setattr(sets, "checksum", lambda paths: read.extend(paths) or "new")
    assert rescorer_checksum(rescorer_dir) == before and not read
    config = rescorer_dir / "config.yaml"
    config.write_text(config.read_text() + "# touched\n")
    assert rescorer_checksum(rescorer_dir) == "new" and config in read


def test_weights_beside_a_rescorer_change_no_score(rescorer_dir: Path, clean_dir: Path) -> None:
    score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    write_yaml(rescorer_dir / "weights.yaml", {"lm_weight": 0.5})
    assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 0


@pytest.mark.parametrize("lost", ["lmwt.tiny", ".lmwt.tiny.stamp"])
def test_a_lost_file_is_scored_again(rescorer_dir: Path, clean_dir: Path, lost: str) -> None:
    score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    before = costs(clean_dir)
    (clean_dir / lost).unlink()
    assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 20
    assert costs(clean_dir) == before


def test_a_damaged_file_is_scored_again(rescorer_dir: Path, clean_dir: Path, cache_path: Path) -> None:
    """As the error for it says; a line is missing, or a number is another one, which no other check sees."""
    path = cost_file(clean_dir, TAG)
    score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir], cache_path=cache_path)
    content = path.read_text()
    for lines in (content.splitlines(keepends=True)[1:], ["utt000-1 0.0000\n", *content.splitlines(keepends=True)[1:]]):
        path.write_text("".join(lines))
        assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir], cache_path=cache_path) == 0
        assert path.read_text() == content


def test_scoring_that_is_cut_off_leaves_nothing_finished(rescorer_dir: Path, clean_dir: Path) -> None:
    def cut_off(batches: Sequence[Item], part: str) -> Iterator[Item]:
        yield from itertools.islice(batches, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir], cut_off)
    assert not cost_file(clean_dir, TAG).exists()
    assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 20


@pytest.mark.parametrize(("where", "write"), [(sets, "write_costs"), (Stamp, "write")])
def test_writing_that_is_cut_off_does_not_look_finished(
    rescorer_dir: Path, clean_dir: Path, monkeypatch: pytest.MonkeyPatch, where: object, write: str
) -> None:
    # First the costs of other lists are finished; then the costs (or their stamp) of these are cut off.
    lists = read_nbest_dir(clean_dir)
    others = perturbed(lists, "door", "sea")
    write_nbest_dir(clean_dir, others)
    score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    write_nbest_dir(clean_dir, lists)
    with monkeypatch.context() as patch:

        def killed(*args: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(where, write, killed)
        with pytest.raises(KeyboardInterrupt):
            score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    # Neither these lists nor the others, should they come back, have finished costs.
    for again in (others, lists):
        write_nbest_dir(clean_dir, again)
        assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) > 0


def test_versions_of_a_set_share_their_texts(rescorer_dir: Path, clean_dir: Path, tmp_path: Path) -> None:
    clean = read_nbest_dir(clean_dir)
    versions = {
        "sea": perturbed(clean, "door", "sea"),
        "mat": perturbed(clean, "door", "mat"),
        "same": replace(clean, info={}),
    }
    for name, lists in versions.items():
        write_nbest_dir(tmp_path / name, lists)
        write_nbest_dir(tmp_path / f"{name}_alone", lists)
    together = [clean_dir, *(tmp_path / name for name in versions)]
    load = Loader(rescorer_dir)
    assert score_dirs(load, rescorer_dir, together) == len(texts_of(clean, *versions.values())) < 80
    assert load.calls == 1
    for name in versions:
        score_dirs(load, rescorer_dir, [tmp_path / f"{name}_alone"])
        for one, other in zip(costs(tmp_path / name), costs(tmp_path / f"{name}_alone"), strict=True):
            assert one == pytest.approx(other, abs=2e-4)  # the last of the four decimals may be rounded otherwise


def test_a_text_is_scored_once_in_whichever_case(rescorer_dir: Path, tmp_path: Path) -> None:
    texts = {"u1": ("The cat", "THE CAT", "the sea"), "u2": ("the cat", "", "the sea"), "u3": ("",)}
    lists = tuple(NbestList(utt, tuple(Hypothesis(text, -1.0) for text in of_utt)) for utt, of_utt in texts.items())
    write_nbest_dir(tmp_path / "few", NbestSet(lists))
    load = Loader(rescorer_dir)
    assert score_dirs(load, rescorer_dir, [tmp_path / "few"]) == 3
    (cat, other_cat, sea), (same_cat, empty, same_sea), (same_empty,) = costs(tmp_path / "few")
    assert (cat, sea, empty) == (other_cat, same_sea, same_empty) == (same_cat, sea, empty)
    expected = Rescorer.load(rescorer_dir).score([["the cat", "the sea", ""]])[0]
    assert [cat, sea, empty] == pytest.approx([-score for score in expected], abs=2e-4)


@pytest.fixture
def cache_path(tmp_path: Path) -> Path:
    return tmp_path / "score_cache.sqlite"


def cost_bytes(nbest_dir: Path) -> bytes:
    return cost_file(nbest_dir, TAG).read_bytes()


def test_a_version_that_comes_later_scores_its_new_texts_alone(
    rescorer_dir: Path, clean_dir: Path, tmp_path: Path, cache_path: Path
) -> None:
    load = Loader(rescorer_dir)
    score_dirs(load, rescorer_dir, [clean_dir], cache_path=cache_path)
    clean = read_nbest_dir(clean_dir)
    later = perturbed(clean, "door", "sea")
    write_nbest_dir(tmp_path / "later", later)
    new = texts_of(later) - texts_of(clean)
    both = [clean_dir, tmp_path / "later"]
    assert score_dirs(load, rescorer_dir, both, cache_path=cache_path) == len(new) < 20
    for one, before, in_later, in_clean in zip(later, clean, costs(both[1]), costs(clean_dir), strict=True):
        if one.texts == before.texts:
            assert in_later == in_clean
    score_dirs(load, rescorer_dir, [tmp_path / "later"])  # finished, left as it is
    write_nbest_dir(tmp_path / "alone", replace(later, info={}))
    score_dirs(load, rescorer_dir, [tmp_path / "alone"])
    for one, other in zip(costs(tmp_path / "later"), costs(tmp_path / "alone"), strict=True):
        assert one == pytest.approx(other, abs=2e-4)  # the last of the four decimals may be rounded otherwise


class ListByList(Rescorer):
    """Scores each list in a forward pass of its own, so that a run can be cut off after any of them."""

    def score(
        self,
        lists: Sequence[Sequence[str]],
        token_budget: int | None = None,
        progress: Progress = silent,
        on_scores: Callable[[int, Sequence[float]], None] = lambda index, scores: None,
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> list[list[float]]:
        scores = []
        for index in progress(range(len(lists)), "scoring"):
            scores += super().score([lists[index]], contexts=contexts and [contexts[index]])
            on_scores(index, scores[-1])
        return scores


def load_list_by_list(rescorer_dir: Path) -> Callable[[], Rescorer]:
    return lambda: ListByList.load(rescorer_dir)


words = st.lists(st.sampled_from(["the", "cat", "The", "sea", "i"]), max_size=4).map(" ".join)
some_lists = st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=some_lists, cut_off_after=st.integers(0, 6))
def test_with_the_cache_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, rescorer_dir: Path, texts: list[list[str]], cut_off_after: int
) -> None:
    """Cost files without a cache, with a new one, with one that a run left that was cut off, with one that has all."""
    folder = tmp_path_factory.mktemp("lists")
    lists = tuple(
        NbestList(f"u{number}", tuple(Hypothesis(text, -1.0) for text in one)) for number, one in enumerate(texts)
    )
    for name in ("without", "new", "resumed", "again"):
        write_nbest_dir(folder / name, NbestSet(lists))
    load = load_list_by_list(rescorer_dir)
    distinct = len({text.lower() for one in texts for text in one})

    def cut_off(batches: Sequence[Item], part: str) -> Iterator[Item]:
        yield from itertools.islice(batches, cut_off_after)
        raise KeyboardInterrupt

    assert score_dirs(load, rescorer_dir, [folder / "without"]) == distinct
    assert score_dirs(load, rescorer_dir, [folder / "new"], cache_path=folder / "new.sqlite") == distinct
    with pytest.raises(KeyboardInterrupt):
        score_dirs(load, rescorer_dir, [folder / "resumed"], cut_off, cache_path=folder / "resumed.sqlite")
    left = score_dirs(load, rescorer_dir, [folder / "resumed"], cache_path=folder / "resumed.sqlite")
    assert left < distinct or cut_off_after == 0
    load_nothing = Loader(rescorer_dir)
    assert score_dirs(load_nothing, rescorer_dir, [folder / "again"], cache_path=folder / "new.sqlite") == 0
    assert load_nothing.calls == 0
    for name in ("new", "resumed", "again"):
        assert cost_bytes(folder / name) == cost_bytes(folder / "without"), name


class SmallBatches(Rescorer):
    """Scores with a token budget that a few lists fill."""

    def score(self, lists: Sequence[Sequence[str]], *args: object, **options: Any) -> list[list[float]]:
        return super().score(lists, 150, **options)


def test_a_run_that_is_cut_off_within_a_batch_ends_with_the_same_bytes(rescorer_dir: Path, tmp_path: Path) -> None:
    """Other batches would give a score another last bit, and some costs another last decimal."""

    def load() -> Rescorer:
        return SmallBatches.load(rescorer_dir)

    lists = toy_nbest(40, seed=2)
    write_nbest_dir(tmp_path / "without", lists)
    score_dirs(load, rescorer_dir, [tmp_path / "without"])
    for cut_off_after in (1, 7, 20, 33):

        def cut_off(items: Sequence[Item], part: str) -> Iterator[Item]:
            yield from itertools.islice(items, cut_off_after)  # noqa: B023
            raise KeyboardInterrupt

        again, cache_path = tmp_path / f"again{cut_off_after}", tmp_path / f"{cut_off_after}.sqlite"
        write_nbest_dir(again, lists)
        with pytest.raises(KeyboardInterrupt):
            score_dirs(load, rescorer_dir, [again], cut_off, cache_path=cache_path)
        assert score_dirs(load, rescorer_dir, [again], cache_path=cache_path) < 160
        assert cost_bytes(again) == cost_bytes(tmp_path / "without")


def test_a_run_that_is_killed_keeps_what_was_scored(
    rescorer_dir: Path, clean_dir: Path, cache_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored between batches, not at the end only: nothing is flushed in a process that gets SIGKILL."""
    monkeypatch.setattr(sets, "ROWS_PER_TRANSACTION", 1)
    found = []

    def look(batches: Sequence[Item], part: str) -> Iterator[Item]:
        for batch in batches:
            with ScoreCache.open(cache_path) as cache:
                found.append(len(cache.lookup(version, list(texts_of(read_nbest_dir(clean_dir))))))
            yield batch

    version = cache_version(rescorer_checksum(rescorer_dir), "lower", ScoringOptions().describe(default_device()))
    score_dirs(load_list_by_list(rescorer_dir), rescorer_dir, [clean_dir], look, cache_path=cache_path)
    assert found[0] == 0
    assert len(found) > 2
    assert found == sorted(set(found))
    assert found[-1] < 20


def test_another_rescorer_and_other_numbers_have_scores_of_their_own(
    rescorer_dir: Path, clean_dir: Path, cache_path: Path
) -> None:
    load = Loader(rescorer_dir)
    for dtype in ("fp32", "bf16"):
        options = ScoringOptions(dtype)
        assert score_dirs(load, rescorer_dir, [clean_dir], cache_path=cache_path, options=options) == 20
    rescorer = Rescorer.load(rescorer_dir)
    rescorer.config["seed"] = 2
    rescorer.save(rescorer_dir)
    assert score_dirs(load, rescorer_dir, [clean_dir], cache_path=cache_path) == 20


@pytest.mark.parametrize("count", [2, 3, 8])  # of eight jobs some have nothing to do: there are five lists
def test_jobs_share_the_lists(
    rescorer_dir: Path, clean_dir: Path, tmp_path: Path, cache_path: Path, count: int
) -> None:
    """Each scores its part, none writes costs; the call after them scores nothing and writes what one job would."""
    later = tmp_path / "later"
    write_nbest_dir(later, perturbed(read_nbest_dir(clean_dir), "door", "sea"))
    both = [clean_dir, later]
    texts = texts_of(*map(read_nbest_dir, both))
    load = Loader(rescorer_dir)
    scored = []
    for number in reversed(range(1, count + 1)):
        scored.append(score_dirs(load, rescorer_dir, both, cache_path=cache_path, part=Part(number, count)))
        assert not cost_file(clean_dir, TAG).exists() and not cost_file(later, TAG).exists()
    assert sum(scored) == len(texts) and load.calls == sum(map(bool, scored)) == min(count, 5)
    assert score_dirs(load, rescorer_dir, both, cache_path=cache_path) == 0
    in_parts = [costs(path) for path in both]
    for path in both:
        cost_file(path, TAG).unlink()
    assert score_dirs(load, rescorer_dir, both) == len(texts)
    for parts, path in zip(in_parts, both, strict=True):
        for one, whole in zip(parts, costs(path), strict=True):
            assert one == pytest.approx(whole, abs=2e-4)  # the last of the four decimals may be rounded otherwise


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "1/0", "a/b", "-1/2", "1/2/3"])
def test_a_part_that_there_is_not(text: str) -> None:
    with pytest.raises(InputError, match=f"--part '{text}', expected which of how many jobs"):
        Part.parse(text)


def test_a_part_needs_the_cache(cache_path: Path) -> None:
    part = Part.parse("2/3")
    assert (part, Part.parse("")) == (Part(2, 3), Part())
    with pytest.raises(InputError, match="the score cache, and there is none"):
        Scoring(part=part)
    with pytest.raises(InputError, match="with --history there is no use for it"):
        Scoring(ScoringOptions(history=2), cache_path, part=part)


def test_with_history_merging_each_list_is_scored_by_itself(
    rescorer_dir: Path, clean_dir: Path, tmp_path: Path, cache_path: Path
) -> None:
    """A text's score depends on its list then: no list shares it, and the cache has none of it."""
    load, one_token, two_tokens = Loader(rescorer_dir), ScoringOptions(history=1), ScoringOptions(history=2)
    write_nbest_dir(tmp_path / "same", replace(read_nbest_dir(clean_dir), info={}))
    both = [clean_dir, tmp_path / "same"]
    assert score_dirs(load, rescorer_dir, both, cache_path=cache_path, options=one_token) == 40
    assert not cache_path.exists()
    assert score_dirs(load, rescorer_dir, both, options=one_token) == 0
    assert score_dirs(load, rescorer_dir, both, options=two_tokens) == 40
    assert score_dirs(load, rescorer_dir, both) == 20


def test_without_a_place_for_the_cache_the_costs_are_written(
    rescorer_dir: Path, clean_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "score_cache.sqlite"
    assert score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir], cache_path=path) == 20
    assert len(costs(clean_dir)) == 5
    assert [message for message in caplog.messages if "cache" in message] == [
        f"{path}: the score cache is left out: File exists"
    ]


def test_a_file_that_is_no_cache_stops_before_the_scoring(rescorer_dir: Path, clean_dir: Path) -> None:
    load = Loader(rescorer_dir)
    with pytest.raises(InputError, match=r"words_text: not usable as a score cache: file is not a database \(delete"):
        score_dirs(load, rescorer_dir, [clean_dir], cache_path=clean_dir / "words_text")
    assert load.calls == 0


def test_costs_that_are_not_of_the_lists(rescorer_dir: Path, clean_dir: Path) -> None:
    score_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    write_nbest_dir(clean_dir, toy_nbest(6, seed=1))
    with pytest.raises(InputError, match=r"lmwt.tiny: no cost for utt005-1"):
        costs(clean_dir)


def test_what_stands_before_a_list_decides_its_scores(rescorer_dir: Path, tmp_path: Path) -> None:
    plain = toy_nbest(3, seed=1)
    before = ("a cat has seen", "the sea"), (), ("he went home",)
    lists = tuple(replace(one, context=context) for one, context in zip(plain, before, strict=True))
    nbest_dir, cache = tmp_path / "context", tmp_path / "cache.sqlite"
    write_nbest_dir(nbest_dir, replace(plain, lists=lists))
    write_nbest_dir(tmp_path / "plain", plain)
    load = Loader(rescorer_dir)
    # The plain lists first: what the cache has of them must not be taken for scores after a context.
    for path in (tmp_path / "plain", nbest_dir):
        score_dirs(load, rescorer_dir, [path], cache_path=cache)
    costs = list_costs(nbest_dir, read_nbest_dir(nbest_dir), TAG)
    rescorer = Rescorer.load(rescorer_dir)
    expected = rescorer.score([one.texts for one in lists], contexts=before)
    for one, scores in zip(costs, expected, strict=True):
        assert one == pytest.approx([-score for score in scores], abs=1e-4)
    assert costs[1] == list_costs(tmp_path / "plain", plain, TAG)[1]
    assert costs[0] != list_costs(tmp_path / "plain", plain, TAG)[0]
    (nbest_dir / "lmwt.tiny").unlink()
    score_dirs(load, rescorer_dir, [nbest_dir], cache_path=cache)
    assert load.calls == 2, "the cache has all scores"
    assert list_costs(nbest_dir, read_nbest_dir(nbest_dir), TAG) == costs
