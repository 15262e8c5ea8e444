"""The perturbed twin of a training list: what `--perturb_train` mixes into training (this project's own).

In every epoch a list has a twin with the chance `perturb_share`, made by one of the perturbations, each as likely as
the others. The clean list is always trained on; a twin is trained on beside it, in the same step and the same forward
pass, and counts as a list of its own. So a run has the steps, the order and the clean lists of the run without twins,
and what is between the two is the twins. Both are one prefix tree to a `clm`, which costs the replaced words and what
follows them; the other scorers take a text that both have once.

A twin has the first-pass scores of its sources, its word errors are counted anew against the reference, and a teacher
scores its texts. References, texts of the domain and dev are never perturbed. A twin in which nothing was replaced is
left out.

All of it is a function of (training seed, epoch, utterance): another order of the lists, another token budget and a run
that goes on from a checkpoint have the same twins.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

import torch

from lorescore.nbest import NbestList, NbestSet
from lorescore.nbest.lists import COST_DECIMALS
from lorescore.perturb.draws import Draws, epoch_seed
from lorescore.perturb.lexicon import HomophoneLexicon
from lorescore.perturb.replacement import perturb_list, sources
from lorescore.perturb.worst import Score
from lorescore.scoring.rescorer import Rescorer
from lorescore.training.data import TrainingList, Twin, texts_to_learn
from lorescore.training.settings import TrainingSettings
from lorescore.training.teacher import TeacherScores
from lorescore.wer.distances import count_words

logger = logging.getLogger(__name__)


class Twins:
    """Makes the twins of training lists.

    Args:
        rescorer: Encodes the texts.
        nbest: The lists as they are trained on, with references.
        settings: The perturbations, the share, the epochs and the seed.
        lexicon: What sounds alike.
        teacher: The teacher's scores of the clean lists, where there is a teacher.
        teacher_score: Gives its scores of further texts; called once, with the twins of all epochs.

    Raises:
        InputError: A perturbation does not know the lexicon's phones.
    """

    def __init__(
        self,
        rescorer: Rescorer,
        nbest: NbestSet,
        settings: TrainingSettings,
        lexicon: HomophoneLexicon,
        teacher: TeacherScores | None = None,
        teacher_score: Score | None = None,
    ) -> None:
        lexicon.require_phones_for([one.perturbation for one in settings.perturbations])
        self._rescorer, self._settings, self._lexicon = rescorer, settings, lexicon
        self._lists: Mapping[str, NbestList] = {one.utt: one for one in nbest}
        self._refs, self._metric, self._cleaner = nbest.refs, nbest.metric, nbest.cleaner
        self._learnt = texts_to_learn(nbest)
        self._teacher: dict[tuple[str, int], torch.Tensor] = {}
        if not any(self.perturbed(utt, epoch) for epoch in range(settings.epochs) for utt in self._lists):
            logger.warning(
                "--perturb_train %s changes none of the %d training lists: %d words of the vocabulary are pronounced, "
                "%d have homophones",
                settings.perturb_train,
                len(nbest),
                len(lexicon.pronunciations),
                len(lexicon.homophones),
            )
        if teacher is not None and teacher_score is not None:
            self._ask(teacher, teacher_score)

    def perturbed(self, utt: str, epoch: int) -> NbestList | None:
        """The twin of an utterance's list in an epoch, counted from 0; None where it has none."""
        seed = epoch_seed(self._settings.seed, epoch)
        draw = Draws(seed, utt, "twin").draw("")
        if draw.uniform >= self._settings.perturb_share:
            return None
        perturbation = self._settings.perturbations[draw.index(len(self._settings.perturbations))]
        clean = self._lists[utt].first_pass
        twin = perturb_list(clean, perturbation, self._lexicon, seed)
        return None if twin.texts == clean.texts else twin

    def beside(self, one: TrainingList, epoch: int) -> TrainingList:
        """A training list with its twin of an epoch; as it is where it has none."""
        twin = self.perturbed(one.utt, epoch)
        if twin is None:
            return one
        clean, ref = self._lists[one.utt], self._refs[one.utt]
        counts = count_words([twin.texts], [ref], self._metric, self._cleaner)
        made = Twin(
            first_pass=torch.tensor(twin.scores, dtype=torch.float32),
            num_words=torch.tensor(counts.hyp_words, dtype=torch.float32),
            errors=torch.tensor(counts.errors, dtype=torch.float32),
            sources=torch.tensor(sources(clean, twin)),
            teacher=self._teacher.get((one.utt, epoch)),
        )
        texts = clean.texts + twin.texts + ([self._learnt[one.utt]] if one.with_reference else [])
        return replace(one, encoded=self._rescorer.encode(texts, clean.context), twin=made)

    def _ask(self, teacher: TeacherScores, score: Score) -> None:
        """The teacher's scores of all twins that there will be."""
        keys, texts, contexts = [], [], []
        for epoch in range(self._settings.epochs):
            for utt in self._lists:
                if (twin := self.perturbed(utt, epoch)) is not None:
                    keys.append((utt, epoch))
                    texts.append(twin.texts)
                    contexts.append(twin.context)
        for key, scores in zip(keys, score(texts, contexts) if texts else [], strict=True):
            # As a cost file holds them, from which the scores of the clean lists are.
            self._teacher[key] = teacher.of([round(-one, COST_DECIMALS) for one in scores])
