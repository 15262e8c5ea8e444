"""ESPnet at decoding time: the results of `espnet2.bin.asr_inference.Speech2Text` re-ranked by a rescorer.

    speech2text = RescoredSpeech2Text(Speech2Text(..., nbest=10), Rescorer.load("exp/plm/<tag>"))
    text, tokens, token_ids, hypothesis = speech2text(speech)[0]

A result is ESPnet's tuple (text, tokens, token_ids, hypothesis); `hypothesis.score` is the first pass's log score. The
tuples come back as they are, in another order. ESPnet is not imported: what it returned is all that is needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.scoring.list_scorer import ListScorer

Result: TypeAlias = tuple[str | None, list[str], list[int], Any]


@dataclass(frozen=True)
class RescoredSpeech2Text:
    """A Speech2Text with a second pass.

    Attributes:
        speech2text: ESPnet's object, made with `nbest` above 1: with one result there is nothing to choose.
        rescorer: Scores the results.
        weights: Of the combined score; None: those that were tuned for the rescorer.
    """

    speech2text: Callable[..., Any]
    rescorer: ListScorer
    weights: Weights | None = None

    def __call__(self, speech: Any) -> Any:
        """ESPnet's results, the best combined score first.

        Of models for several speakers, the results of each; where ESPnet returns the intermediate CTC's outputs beside
        the results, they are returned beside them.

        Args:
            speech: As Speech2Text takes it: samples, (num_samples,).

        Raises:
            InputError: As `rerank_results`.
        """
        results = self.speech2text(speech)
        if isinstance(results, tuple):
            return rerank_results(self.rescorer, results[0], self.weights), *results[1:]
        if results and isinstance(results[0], list):
            return [rerank_results(self.rescorer, one, self.weights) for one in results]
        return rerank_results(self.rescorer, results, self.weights)


def rerank_results(rescorer: ListScorer, results: Sequence[Result], weights: Weights | None = None) -> list[Result]:
    """The results of one utterance, the best combined score first.

    Args:
        rescorer: Scores them.
        results: ESPnet's, the first pass's best first.
        weights: Of the combined score; None: those that were tuned for the rescorer.

    Raises:
        InputError: A result has no text (the model has no tokenizer), there are no weights, or a score is not finite.
    """
    pairs = []
    for text, _, _, hypothesis in results:
        if text is None:
            raise InputError("a result without a text", mend="give Speech2Text the model's token_type and bpemodel")
        pairs.append((text, float(hypothesis.score)))
    (rescored,) = rescorer.rescore([pairs], weights)
    return [results[one.rank - 1] for one in rescored.hypotheses]
