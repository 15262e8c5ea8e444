"""Perturbed twins of training lists: fresh in every epoch, and a function of seed, epoch and utterance alone."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from plm_models import new_rescorer
from toy_lexicon import LEXICON
from toy_nbest import toy_nbest

from lorescore.errors import InputError
from lorescore.nbest import Hypothesis, NbestList, NbestSet
from lorescore.perturb import HomophoneLexicon
from lorescore.perturb.replacement import sources
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.data import training_lists
from lorescore.training.settings import TrainingSettings
from lorescore.training.teacher import TeacherScores
from lorescore.training.twins import Twins
from lorescore.wer import edit_counts
from lorescore.wer.distances import count_words

SETTINGS = TrainingSettings(perturb_train="homophone:0.5", perturb_share=1.0, epochs=3, seed=4)
LISTS = toy_nbest(40, seed=1)
UTTS = [one.utt for one in LISTS]


@pytest.fixture(scope="module")
def rescorer(tmp_path_factory: pytest.TempPathFactory) -> Rescorer:
    return new_rescorer(tmp_path_factory.mktemp("plm"), "llama", plm_text="lower")


def texts_of(twins: Twins, epoch: int, utts: Sequence[str] = UTTS) -> list[list[str] | None]:
    made = [twins.perturbed(utt, epoch) for utt in utts]
    return [None if one is None else one.texts for one in made]


def test_each_epoch_has_twins_of_its_own(rescorer: Rescorer) -> None:
    twins = Twins(rescorer, LISTS, SETTINGS, LEXICON)
    epochs = [texts_of(twins, epoch) for epoch in range(3)]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert epochs == [texts_of(Twins(rescorer, LISTS, SETTINGS, LEXICON), epoch) for epoch in range(3)]
    assert epochs[0] != texts_of(Twins(rescorer, LISTS, replace(SETTINGS, seed=5), LEXICON), 0)


@given(order=st.permutations(range(8)), kept=st.integers(1, 8))
@hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_neither_order_nor_company_plays_a_part(rescorer: Rescorer, order: list[int], kept: int) -> None:
    settings = replace(SETTINGS, perturb_train="homophone:0.5,near:0.5,tied:1best:1", perturb_share=0.7)
    some = [LISTS.lists[index] for index in order[:kept]]
    utts = [one.utt for one in some]
    twins = Twins(rescorer, NbestSet(tuple(some), LISTS.refs), settings, LEXICON)
    assert texts_of(twins, 1, utts) == texts_of(Twins(rescorer, LISTS, settings, LEXICON), 1, utts)


def test_the_share_of_the_lists_and_each_perturbation(rescorer: Rescorer) -> None:
    many = toy_nbest(400, seed=3)
    settings = replace(SETTINGS, perturb_train="homophone:1,homophone:1best:1,insert:1", perturb_share=0.5)
    twins = Twins(rescorer, many, settings, LEXICON)
    changed = {"nbest": 0, "1best": 0, "insert": 0}
    for one in many:
        twin = twins.perturbed(one.utt, 0)
        if twin is None:
            continue
        longer = len(twin.hypotheses) > len(one.hypotheses)
        changed["insert" if longer else "1best" if twin.texts[1:] == one.texts[1:] else "nbest"] += 1
    # Of 200 lists a third each; one in 16 has no word that can be replaced, one in 4 none in the two of rank 1.
    assert sum(changed.values()) == pytest.approx(175, abs=25)
    for name, expected in (("nbest", 62), ("1best", 50), ("insert", 62)):
        assert changed[name] == pytest.approx(expected, abs=16)


@pytest.mark.parametrize("perturbation", ["homophone:0.6", "near:0.6", "tied:0.6", "insert:0.6", "homophone:1best:0.9"])
@pytest.mark.parametrize("with_reference", [False, True])
def test_a_twin_beside_its_list(rescorer: Rescorer, perturbation: str, with_reference: bool) -> None:
    twins = Twins(rescorer, LISTS, replace(SETTINGS, perturb_train=perturbation), LEXICON)
    found = 0
    for one, clean in zip(training_lists(rescorer, LISTS, with_reference), LISTS, strict=True):
        pair, perturbed = twins.beside(one, 2), twins.perturbed(one.utt, 2)
        if perturbed is None:
            assert pair is one
            continue
        found += 1
        twin, ref = pair.twin, LISTS.refs[one.utt]
        assert twin is not None and (pair.first_pass is one.first_pass and pair.errors is one.errors)
        texts = [*clean.texts, *perturbed.texts, *([ref] if with_reference else [])]
        assert pair.encoded.sequences() == rescorer.encode(texts).sequences()
        assert twin.errors.tolist() == edit_errors(perturbed.texts, ref)
        assert twin.num_words.tolist() == [len(text.split()) for text in perturbed.texts]
        assert twin.first_pass.tolist() == pytest.approx([clean.scores[source] for source in twin.sources])
        for text, source in zip(perturbed.texts, twin.sources.tolist(), strict=True):
            pairs = zip(text.split(), clean.texts[source].split(), strict=True)
            assert all(new == old or len({new, old} - set(LEXICON.pronunciations)) == 0 for new, old in pairs)
    assert found > 20


def test_a_twin_is_read_after_its_context_and_counted_in_the_sets_metric(rescorer: Rescorer) -> None:
    lists = tuple(replace(one, context=("the cat sat",)) for one in LISTS)
    nbest = NbestSet(lists, LISTS.refs, {"metric": "cer"})
    twins = Twins(rescorer, nbest, replace(SETTINGS, perturb_train="homophone:1"), LEXICON)
    one = training_lists(rescorer, nbest, with_reference=False)[0]
    pair, perturbed = twins.beside(one, 0), twins.perturbed(one.utt, 0)
    texts, (clean,) = perturbed.texts, (some for some in lists if some.utt == one.utt)
    expected = rescorer.encode(clean.texts + texts, ("the cat sat",)).sequences()
    assert pair.encoded.sequences() == expected != rescorer.encode(clean.texts + texts).sequences()
    characters = count_words([texts], [LISTS.refs[one.utt]], "cer")
    assert pair.twin.errors.tolist() == characters.errors.tolist() != edit_errors(texts, LISTS.refs[one.utt])
    assert pair.twin.num_words.tolist() == characters.hyp_words.tolist()


def edit_errors(texts: Sequence[str], ref: str) -> list[int]:
    return [edit_counts(ref, text).errors for text in texts]


def test_the_sources_of_inserted_competitors() -> None:
    a, b, c, new = (Hypothesis(text, -1.0) for text in ("a", "b", "c", "new"))
    clean = NbestList("utt", (a, b, c))
    assert list(sources(clean, NbestList("utt", (a, new, b, c, new)))) == [0, 0, 1, 2, 2]
    assert list(sources(clean, NbestList("utt", (new, b, c)))) == [0, 1, 2]


def test_the_teacher_scores_the_twins_of_all_epochs_once(rescorer: Rescorer) -> None:
    asked: list[int] = []

    def score(lists: Sequence[Sequence[str]], contexts: Sequence[Sequence[str]]) -> list[list[float]]:
        assert list(contexts) == [()] * len(lists)
        asked.append(len(lists))
        return [[-float(len(text)) for text in texts] for texts in lists]

    costs = [[float(len(text)) for text in one.texts] for one in LISTS]
    for norm in ("none", "set", "list"):
        teacher = TeacherScores.from_costs(costs, norm, "clm")
        twins = Twins(rescorer, LISTS, SETTINGS, LEXICON, teacher, score)
        (one,) = (one for one in training_lists(rescorer, LISTS, False) if one.utt == UTTS[0])
        twin, texts = twins.beside(one, 1).twin, twins.perturbed(UTTS[0], 1).texts
        lengths = torch.tensor([float(len(text)) for text in texts])
        mean = {"none": 0.0, "set": sum(map(sum, costs)) / sum(map(len, costs)), "list": lengths.mean().item()}[norm]
        torch.testing.assert_close(twin.teacher, -(lengths - mean) / teacher.unit)
    expected = sum(twins.perturbed(utt, epoch) is not None for epoch in range(3) for utt in UTTS)
    assert asked == [expected] * 3


def test_a_vocabulary_without_homophones_is_said(rescorer: Rescorer, caplog: pytest.LogCaptureFixture) -> None:
    lexicon = HomophoneLexicon.from_entries([("sea", ["S", "IY"]), ("cat", ["K", "AE", "T"])])
    with caplog.at_level(logging.WARNING):
        twins = Twins(rescorer, LISTS, SETTINGS, lexicon)
    assert texts_of(twins, 0) == [None] * 40
    assert [one.message for one in caplog.records] == [
        "--perturb_train homophone:nbest:0.5 changes none of the 40 training lists: 2 words of the vocabulary are "
        "pronounced, 0 have homophones"
    ]
    caplog.clear()
    Twins(rescorer, LISTS, SETTINGS, LEXICON)
    assert not caplog.records


def test_near_twins_need_cmudicts_phones(rescorer: Rescorer) -> None:
    lexicon = HomophoneLexicon.from_entries([("sea", ["z", "e:"]), ("see", ["z", "e:"])])
    settings = replace(SETTINGS, perturb_train="homophone:1,near:0.5")
    with pytest.raises(InputError, match="the perturbation near knows how far apart CMUdict's phones are"):
        Twins(rescorer, LISTS, settings, lexicon)
    twins = Twins(rescorer, LISTS, replace(SETTINGS, perturb_train="homophone:1"), lexicon)
    assert any(texts_of(twins, 0))
