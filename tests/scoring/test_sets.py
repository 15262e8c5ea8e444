"""Cost files of N-best directories: written once for each rescorer and lists, each text scored once."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from plm_models import new_rescorer
from toy_nbest import toy_nbest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet, read_costs, read_nbest_dir, write_nbest_dir
from lorescore.scoring import sets
from lorescore.scoring.rescorer import Rescorer
from lorescore.scoring.sets import cost_file, list_costs, score_nbest_dirs

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


def costs(nbest_dir: Path) -> list[list[float]]:
    return list_costs(nbest_dir, read_nbest_dir(nbest_dir), TAG)


def test_costs_are_the_negative_scores(rescorer_dir: Path, clean_dir: Path) -> None:
    lists = read_nbest_dir(clean_dir)
    assert score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 20
    scores = Rescorer.load(rescorer_dir).score([one.texts for one in lists])
    for one, expected in zip(costs(clean_dir), scores, strict=True):
        assert one == pytest.approx([-score for score in expected], abs=1e-4)
    assert list(read_costs(cost_file(clean_dir, TAG))) == [key for one in lists for key in one.nbest_keys()]


def test_finished_costs_are_left_as_they_are(rescorer_dir: Path, clean_dir: Path) -> None:
    load = Loader(rescorer_dir)
    score_nbest_dirs(load, rescorer_dir, [clean_dir])
    written = cost_file(clean_dir, TAG).stat()
    assert score_nbest_dirs(load, rescorer_dir, [clean_dir]) == 0
    assert (load.calls, cost_file(clean_dir, TAG).stat().st_mtime_ns) == (1, written.st_mtime_ns)


def test_other_lists_are_scored_again(rescorer_dir: Path, clean_dir: Path) -> None:
    score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    before = costs(clean_dir)
    write_nbest_dir(clean_dir, perturbed(read_nbest_dir(clean_dir), "door", "sea"))
    assert score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) > 0
    after = costs(clean_dir)
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, False, True, False, True]


def test_another_rescorer_of_the_same_tag_scores_again(rescorer_dir: Path, clean_dir: Path) -> None:
    score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    before = costs(clean_dir)
    rescorer = Rescorer.load(rescorer_dir)
    rescorer.scorer.model.requires_grad_(True)  # saved as fully fine-tuned
    for parameter in rescorer.scorer.model.parameters():
        parameter.data.mul_(0.5)
    rescorer.save(rescorer_dir)
    assert score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 20
    assert all(one != other for one, other in zip(before, costs(clean_dir), strict=True))


@pytest.mark.parametrize("lost", ["lmwt.tiny", ".lmwt.tiny.stamp"])
def test_a_lost_file_is_scored_again(rescorer_dir: Path, clean_dir: Path, lost: str) -> None:
    score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    before = costs(clean_dir)
    (clean_dir / lost).unlink()
    assert score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 20
    assert costs(clean_dir) == before


def test_scoring_that_is_cut_off_leaves_nothing_finished(rescorer_dir: Path, clean_dir: Path) -> None:
    def cut_off(batches: Sequence[Item], part: str) -> Iterator[Item]:
        yield from itertools.islice(batches, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir], cut_off)
    assert not cost_file(clean_dir, TAG).exists()
    assert score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) == 20


@pytest.mark.parametrize("write", ["write_costs", "atomic_write"])
def test_writing_that_is_cut_off_does_not_look_finished(
    rescorer_dir: Path, clean_dir: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    # First the costs of other lists are finished; then the costs (or their stamp) of these are cut off.
    lists = read_nbest_dir(clean_dir)
    others = perturbed(lists, "door", "sea")
    write_nbest_dir(clean_dir, others)
    score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    write_nbest_dir(clean_dir, lists)
    with monkeypatch.context() as patch:

        def killed(*args: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(sets, write, killed)
        with pytest.raises(KeyboardInterrupt):
            score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    # Neither these lists nor the others, should they come back, have finished costs.
    for again in (others, lists):
        write_nbest_dir(clean_dir, again)
        assert score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir]) > 0


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
    by_utt = {(one.utt, text) for lists in (clean, *versions.values()) for one in lists for text in one.texts}
    load = Loader(rescorer_dir)
    assert score_nbest_dirs(load, rescorer_dir, together) == len(by_utt) < 80
    assert load.calls == 1
    for name in versions:
        score_nbest_dirs(load, rescorer_dir, [tmp_path / f"{name}_alone"])
        for one, other in zip(costs(tmp_path / name), costs(tmp_path / f"{name}_alone"), strict=True):
            assert one == pytest.approx(other, abs=2e-4)  # the last of the four decimals may be rounded otherwise


def test_a_version_that_comes_later_scores_its_new_texts_alone(
    rescorer_dir: Path, clean_dir: Path, tmp_path: Path
) -> None:
    load = Loader(rescorer_dir)
    score_nbest_dirs(load, rescorer_dir, [clean_dir])
    clean = read_nbest_dir(clean_dir)
    later = perturbed(clean, "door", "sea")
    write_nbest_dir(tmp_path / "later", later)
    new = {(one.utt, text) for one, old in zip(later, clean, strict=True) for text in set(one.texts) - set(old.texts)}
    assert score_nbest_dirs(load, rescorer_dir, [clean_dir, tmp_path / "later"]) == len(new) < 20
    write_nbest_dir(tmp_path / "same", replace(clean, info={"source": "a copy"}))
    assert score_nbest_dirs(load, rescorer_dir, [clean_dir, tmp_path / "same"]) == 0  # nothing new in it
    assert costs(tmp_path / "same") == costs(clean_dir)


def test_costs_that_are_not_of_the_lists(rescorer_dir: Path, clean_dir: Path) -> None:
    score_nbest_dirs(Loader(rescorer_dir), rescorer_dir, [clean_dir])
    write_nbest_dir(clean_dir, toy_nbest(6, seed=1))
    with pytest.raises(InputError, match=r"lmwt.tiny: no cost for utt005-1"):
        costs(clean_dir)
