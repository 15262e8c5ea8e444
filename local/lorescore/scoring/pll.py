"""The scorer `pll`: pseudo-log-likelihood of a hypothesis under a masked LM (Salazar et al. 2020, arXiv 1910.14659).

    score(w_1..w_T) = sum_t log p(w_t | w_1..w_t-1, [MASK], w_t+1..w_T)

in nats, over the PLM's tokens. The special tokens around the text are seen but not scored; an empty text has score 0.
With `within_word_l2r` the later tokens of a token's own word are masked with it, as a word of several tokens else gives
itself away (Kauf & Ivanova 2023, arXiv 2305.10588). A word is what stands between two spaces, as in ASR; so `i'll` is
one word, also where the tokenizer cuts at the apostrophe (this project's own).

Each text costs one copy a token. All copies of some lists are packed by length into forward passes without padding,
copies that are the same once: two texts that differ in one token share the copy in which it is masked.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from lorescore.errors import InputError
from lorescore.plm.settings import PlmSettings
from lorescore.scoring.batches import (
    equal_length_groups,
    restore_order,
    run_groups,
    sum_by_text,
)
from lorescore.scoring.projection import PROJECTED_POSITIONS
from lorescore.scoring.scorer import Scorer
from lorescore.scoring.windows import Frame, windows

logger = logging.getLogger(__name__)

PROBE_TOLERANCE = 1e-3  # nats; rounding errors stay below it, a head that looks at other positions does not


@dataclass(frozen=True)
class MaskedWindow:
    """A text, or a window of it, and what is masked in its copies.

    Attributes:
        ids: Token ids with the special tokens.
        spans: (position of the token that is scored, position after the last that is masked) of each copy.
    """

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    def copies(self, mask: int) -> Iterator[tuple[tuple[int, ...], int]]:
        """The copies: their token ids, and the position of the token that is scored."""
        for position, end in self.spans:
            yield (*self.ids[:position], *[mask] * (end - position), *self.ids[end:]), position


class MaskedLists:
    """The texts of one list as windows to be masked.

    Attributes:
        texts: [text][window]; one window where the text fits into the PLM.
    """

    def __init__(self, texts: list[list[MaskedWindow]]) -> None:
        self.texts = texts
        distinct = {window for text in texts for window in text}
        self._num_tokens = sum(len(window.ids) * len(window.spans) for window in distinct)

    def __len__(self) -> int:
        """Tokens of all copies of the distinct texts: what the list costs."""
        return self._num_tokens

    def num_tokens(self, index: int) -> int:
        """Tokens that are scored of a text."""
        return sum(len(window.spans) for window in self.texts[index])


class PseudoLogLikelihoodScorer(Scorer):
    """Scores the texts of a list under a masked LM.

    Args:
        model: A masked LM, possibly with an adapter.
        tokenizer: Its tokenizer.
        settings: Whether the later tokens of a word are masked too.

    Attributes:
        passes_of_a_batch: Forward passes' worth of lists that it wants at once: many, so that few lengths stand alone.
        whole_logits: Whether this PLM's output layer needs the states of all positions, not that of the mask alone.

    Raises:
        InputError: The tokenizer has no mask token, or does not tell where in a text its tokens are, which
            `within_word_l2r` needs.
    """

    passes_of_a_batch = 32

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, settings: PlmSettings) -> None:
        super().__init__(model, tokenizer)
        if tokenizer.mask_token_id is None:
            raise InputError(
                f"{settings.name} is no masked LM: its tokenizer has no mask token", mend="use --scorer cls or clm"
            )
        if settings.within_word_l2r and not tokenizer.is_fast:
            raise InputError(
                f"the tokenizer of {settings.name} does not tell which tokens are of one word",
                mend="leave out within_word_l2r",
            )
        self.mask: int = tokenizer.mask_token_id
        self.within_word_l2r = settings.within_word_l2r
        self.frame = Frame.of(tokenizer)
        self.room = self.frame.room(self.max_tokens)
        self.whole_logits = not self._head_takes_one_position()

    def encode(self, texts: Sequence[str], context: str = "") -> MaskedLists:
        """The tokens of a list's texts, in windows where a text is longer than the PLM takes. No context is read."""
        encoding = self.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=self.within_word_l2r, verbose=False
        )
        token_lists = encoding["input_ids"]
        if self.within_word_l2r:
            ends = [word_ends(text, pairs) for text, pairs in zip(texts, encoding["offset_mapping"], strict=True)]
        else:
            ends = [list(range(1, len(ids) + 1)) for ids in token_lists]
        return MaskedLists([self._masked(*pair) for pair in zip(token_lists, ends, strict=True)])

    def forward(self, lists: Sequence[MaskedLists]) -> list[torch.Tensor]:
        """Score every text of some lists.

        Args:
            lists: From `encode`.

        Returns:
            For each list the pseudo-log-likelihoods of its texts, (num_texts,), float32.
        """
        place: dict[tuple[tuple[int, ...], int], int] = {}  # of each distinct copy
        asked: list[list[int]] = []  # the scored tokens of each distinct copy, as indices of `targets`
        targets: list[int] = []
        sizes = []  # scored tokens of each text
        for text in (text for one in lists for text in one.texts):
            before = len(targets)
            for window in text:
                for copy in window.copies(self.mask):
                    if place.setdefault(copy, len(place)) == len(asked):
                        asked.append([])
                    asked[place[copy]].append(len(targets))
                    targets.append(window.ids[copy[1]])
            sizes.append(len(targets) - before)
        num_texts = [len(one.texts) for one in lists]
        if not targets:
            return list(torch.zeros(len(sizes), device=self.device).split(num_texts))

        copies = list(place)
        lengths = [len(ids) for ids, _ in copies]
        budget = self.budget
        tokens = min(budget, PROJECTED_POSITIONS) if self.whole_logits else budget
        groups = equal_length_groups(lengths, tokens, PROJECTED_POSITIONS)

        def score(group: list[int]) -> torch.Tensor:
            return self._log_probs(
                [copies[index] for index in group], [[targets[i] for i in asked[index]] for index in group]
            )

        values = run_groups(score, groups, recompute=sum(lengths) > budget)
        values = restore_order(values, [i for group in groups for index in group for i in asked[index]])
        return list(sum_by_text(values, sizes).split(num_texts))

    def _masked(self, ids: Sequence[int], ends: Sequence[int]) -> list[MaskedWindow]:
        """The windows of a text. `ends` are the tokens after the last that is masked with each token."""
        found = []
        for window in windows(len(ids), self.room):
            shift = len(self.frame.before) - window.start
            spans = ((i + shift, min(ends[i], window.end) + shift) for i in range(window.first, window.last))
            found.append(MaskedWindow(self.frame.around(ids[window.start : window.end]), tuple(spans)))
        return found

    def _log_probs(
        self, copies: Sequence[tuple[tuple[int, ...], int]], targets: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        """log p(target) at the scored position of each copy, for each of its targets, (num_targets,), float32."""
        tokens = torch.tensor([ids for ids, _ in copies], device=self.device)
        positions = torch.tensor([position for _, position in copies], device=self.device)
        rows = torch.tensor([row for row, asked in enumerate(targets) for _ in asked], device=self.device)
        flat_targets = torch.tensor([target for asked in targets for target in asked], device=self.device)
        logits = self._logits(tokens, positions, whole=self.whole_logits)
        return logits[rows, flat_targets] - torch.logsumexp(logits, dim=-1)[rows]

    def _logits(self, tokens: torch.Tensor, positions: torch.Tensor, *, whole: bool) -> torch.Tensor:
        """The logits at one position of each row, (rows, vocabulary), float32.

        Args:
            tokens: (rows, length).
            positions: (rows,).
            whole: Project all positions onto the vocabulary, not the one that is asked for alone.
        """
        model = self.lm
        rows = torch.arange(len(tokens), device=tokens.device)
        if whole:
            return model(input_ids=tokens).logits[rows, positions].float()

        def keep_one(module: nn.Module, inputs: Any, output: Any) -> Any:
            output["last_hidden_state"] = output["last_hidden_state"][rows, positions].unsqueeze(1)
            return output

        # What stands on the base model sees a sequence of one position.
        hook = model.base_model.register_forward_hook(keep_one)
        try:
            return model(input_ids=tokens).logits.squeeze(1).float()
        finally:
            hook.remove()

    @torch.no_grad()
    def _head_takes_one_position(self) -> bool:
        """Whether the output layer gives a position the same logits when it sees that position alone: tried out."""
        size = self.lm.config.vocab_size
        ids = torch.linspace(size // 3, size - 1, 6, device=self.device).long()
        tokens, positions = torch.stack([ids, ids.flip(0)]), torch.tensor([1, 4], device=self.device)
        whole = self._logits(tokens, positions, whole=True).log_softmax(-1)
        try:
            alone = self._logits(tokens, positions, whole=False).log_softmax(-1)
            same = alone.shape == whole.shape and torch.allclose(alone, whole, rtol=0.0, atol=PROBE_TOLERANCE)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            # There are as many ways to refuse a single state as there are heads.
            logger.debug("one state through the head of %s: %r", self.lm.config.model_type, error)
            same = False
        if not same:
            logger.warning("%s needs the logits of all positions: slower", self.lm.config.model_type)
        return same


def word_ends(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The token after the last of each token's word.

    Args:
        text: Words separated by white space.
        offsets: (first character, character after the last) of each token. A token that starts with a space, as in
            byte-level BPE, or is nothing else, is of the word that follows.
    """
    word_at, words = [], 0
    for i, character in enumerate(text):
        if not character.isspace() and (i == 0 or text[i - 1].isspace()):
            words += 1
        word_at.append(words + 1 if character.isspace() else words)
    word_at.append(words)  # for a token of no character at the end
    word_of = [word_at[start] for start, _ in offsets]
    ends = [len(offsets)] * len(offsets)
    for i in reversed(range(len(offsets) - 1)):
        ends[i] = ends[i + 1] if word_of[i] == word_of[i + 1] else i + 1
    return ends
