"""A rescorer: a PLM with its adapter and what is needed to score with it; saved to and loaded from a directory.

exp/plm/<tag>/
    config.yaml                                     PLM, strategy, objective, seed: enough to rescore; last
    adapter_config.json, adapter_model.safetensors  what peft.PeftModel.from_pretrained loads
    model/                                          instead of them for `full`: the whole PLM
    head.safetensors                                where the scorer has a head
"""

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import nn

from lorescore.combine import Weights
from lorescore.errors import InputError
from lorescore.files import give_usual_mode, read_yaml, write_yaml
from lorescore.nbest.lists import NbestList
from lorescore.plm.load import (
    cannot_be_written,
    first_states,
    in_one_line,
    load_model,
    load_plm,
    sees_ahead,
    without_bars,
)
from lorescore.plm.mixed import truncate
from lorescore.plm.onednn import store_by_columns
from lorescore.plm.settings import PlmSettings
from lorescore.progress import Progress, silent
from lorescore.scoring.bf16 import round_linear_layers
from lorescore.scoring.clm import CausalScorer
from lorescore.scoring.cls import ClsScorer, new_head
from lorescore.scoring.int8 import CALIBRATION, quantize
from lorescore.scoring.list_scorer import ListScorer
from lorescore.scoring.memory import in_batches, token_budget_for
from lorescore.scoring.options import AUTO, EXACT, ScoringOptions, device_of
from lorescore.scoring.pll import PseudoLogLikelihoodScorer
from lorescore.scoring.scorer import Scorer
from lorescore.scoring.stored import (
    CONFIG_FILE,
    TRAIN_AGAIN,
    read_config,
    require_nested_ranks,
    require_no_members,
    require_same_plm,
    stored_plm,
    stored_weights,
)
from lorescore.scoring.text import plm_context, plm_text

logger = logging.getLogger(__name__)

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


class NotFiniteError(InputError):
    """A score that is not a finite number."""


class WithoutBf16Error(InputError):
    """A PLM whose code fails in bf16: DeBERTa's first version masks with a number of float32."""


@dataclass
class Rescorer(ListScorer):
    """Scores lists of texts with an adapted PLM.

    Attributes:
        scorer: The PLM with its adapter, as a `clm`, `cls` or `pll` scorer.
        plm: Which PLM, and how text is put to it.
        config: What `config.yaml` says.
        weights: Of the combined score, where they were tuned (`load` finds them).
        options: How scores are computed (`apply`); before they are set in float32, or as a caller has entered.
    """

    scorer: Scorer
    plm: PlmSettings
    config: dict[str, Any]
    weights: Weights | None = None
    options: ScoringOptions = ScoringOptions(dtype="fp32")

    @classmethod
    def new(cls, plm_dir: Path, plm: PlmSettings) -> "Rescorer":
        """A rescorer on a fetched PLM, not adapted yet."""
        model, tokenizer = load_plm(plm_dir, plm)
        config = {
            "plm_dir": str(plm_dir),
            "plm": plm.to_dict(),
            "plm_checksum": read_yaml(plm_dir / "plm.yaml")["checksum"],
        }
        if plm.scorer == "clm":
            return cls(CausalScorer(model, tokenizer, plm), plm, config)
        if plm.scorer == "pll":
            return cls(PseudoLogLikelihoodScorer(model, tokenizer, plm), plm, config)
        states = first_states(model)
        head = new_head(states.shape[-1])  # which need not be the configuration's hidden size
        return cls(ClsScorer(model, tokenizer, head, sees_ahead(states)), plm, config)

    @classmethod
    def load(
        cls,
        directory: Path | str,
        device: torch.device | str | None = None,
        options: ScoringOptions = EXACT,
        rank: int | None = None,
    ) -> "Rescorer":
        """Load a rescorer; its adapter is merged into the PLM's weights, so that scoring costs what the PLM costs.

        Args:
            directory: From `save`.
            device: Where to score, such as `cuda:1`; None: on the GPU where there is one.
            options: How scores are computed.
            rank: Cut the adapter of `mixed` to this rank; None: all of it.

        Raises:
            InputError: The directory is unfinished or damaged, the PLM is not the one that was adapted, the options are
                not for this scorer, device or PLM, there is no such device, or the adapter has no such rank.
        """
        directory = Path(directory)
        device = device_of(device)
        config = read_config(directory)
        require_no_members(config, directory, "load it with lorescore.Combination")
        if rank is not None:
            require_nested_ranks(config, directory)
        require_same_plm(config, directory)
        rescorer = cls.new(
            stored_plm(directory, config["plm_dir"]), PlmSettings.from_dict(config["plm"], directory / CONFIG_FILE)
        )
        rescorer.config, rescorer.weights = config, stored_weights(directory)
        with in_one_line("cannot be loaded", directory, TRAIN_AGAIN):
            rescorer._load_weights(directory, rank)
        rescorer.apply(options, device)
        try:
            rescorer._try_bf16()
        except WithoutBf16Error as error:
            if options.dtype != AUTO:
                raise
            logger.warning("%s: scored in float32", error.message)
            return cls.load(directory, device, replace(options, dtype="fp32"), rank)
        return rescorer

    def _load_weights(self, directory: Path, rank: int | None) -> None:
        """What `_save_weights` wrote; a low-rank adapter cut to a rank, and merged."""
        scorer = self.scorer
        if (directory / "model").is_dir():
            scorer.model = load_model(directory / "model", self.plm.scorer)
        elif any((directory / name).is_file() for name in ADAPTER_FILES):
            for name in ADAPTER_FILES:
                (directory / name).stat()  # PEFT would look for what is missing on the hub
            with warnings.catch_warnings():
                # PEFT checks AdaLoRA's rank_pattern, whose keys are parameters, as if they were layers.
                warnings.filterwarnings("ignore", message="The following rank_pattern keys")
                warnings.filterwarnings("ignore", category=FutureWarning)  # PEFT and transformers, of each other
                adapted = PeftModel.from_pretrained(scorer.model, directory, torch_device="cpu")
            if rank is not None:
                truncate(adapted, rank)
            scorer.model = adapted.merge_and_unload()
        if isinstance(scorer, ClsScorer):
            scorer.head.load_state_dict(load_file(directory / "head.safetensors"))

    def apply(self, options: ScoringOptions, device: torch.device) -> None:
        """Put the PLM on a device, for scoring alone.

        Raises:
            InputError: The options are not for this scorer or device.
        """
        if options.history is not None:
            if not isinstance(self.scorer, CausalScorer):
                raise InputError(f"--history is for clm, this is a {self.plm.scorer}", mend="leave it out")
            self.scorer.history = options.history
        options.require_device(device)
        self.options = options
        if options.rounds_weights(device):
            round_linear_layers(self.scorer.model)  # but not a cls's head
        self.scorer.to(device)
        if options.quantize:
            quantize(self.scorer.model, lambda: self.score([[sentence] for sentence in CALIBRATION]))
        elif options.torch_dtype(device) == torch.float32:
            store_by_columns(self.scorer.model)

    def _try_bf16(self) -> None:
        """Score a sentence, where scores are computed in bf16.

        Raises:
            WithoutBf16Error: The PLM cannot.
        """
        if self.options.torch_dtype(self.scorer.device) != torch.bfloat16:
            return
        try:
            self.score([CALIBRATION[:1]])
        except RuntimeError as error:
            message = f"{self.plm.name} cannot be computed in bf16 ({' '.join(str(error).split())[:100]})"
            raise WithoutBf16Error(message, mend="--dtype fp32") from error

    def save(self, directory: Path, records: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Write the rescorer under its name when it is complete.

        Args:
            directory: What is there is replaced.
            records: YAML files to put beside it, by name: what the training had to tell.
        """
        partial = directory.with_name(f".{directory.name}.partial")
        with cannot_be_written(directory):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            self._save_weights(partial)
            give_usual_mode(partial.rglob("*.safetensors"))
            for name, record in (records or {}).items():
                write_yaml(partial / f"{name}.yaml", record)
            write_yaml(partial / CONFIG_FILE, self.config)
            shutil.rmtree(directory, ignore_errors=True)
            partial.rename(directory)

    def _save_weights(self, directory: Path) -> None:
        """The adapter, or the whole PLM where all of it was trained, and the head."""
        model = self.scorer.model
        if isinstance(model, PeftModel):
            _save_adapter(model, directory)
        elif any(parameter.requires_grad for parameter in model.parameters()):
            with without_bars():
                model.save_pretrained(directory / "model")
        if isinstance(self.scorer, ClsScorer):
            save_file(self.scorer.head.state_dict(), directory / "head.safetensors")

    def encode(self, texts: Sequence[str], context: Sequence[str] = ()) -> Any:
        """A list's texts as the scorer takes them, in the case that the PLM reads.

        Args:
            texts: At least one.
            context: What stands before them (`NbestList.context`): a `clm` reads it too, other scorers do not.
        """
        case, spaces = self.plm.plm_text, self.plm.plm_spaces
        put = [plm_text(text, case, spaces) for text in texts]
        return self.scorer.encode(put, plm_context(context, case, spaces))

    @torch.inference_mode()
    def score(
        self,
        lists: Sequence[Sequence[str]],
        token_budget: int | None = None,
        progress: Progress = silent,
        on_scores: Callable[[int, Sequence[float]], None] = lambda index, scores: None,
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> list[list[float]]:
        """PLM scores of the texts of each list; higher is better.

        Args:
            lists: [list][text]; the texts of a list share one forward pass. A list may be empty.
            token_budget: Tokens in one forward pass; it changes memory and speed, not the scores. None: what suits the
                device and its free memory. Where the allocator fails it is halved, and the batch done again.
            progress: Wraps the loop over the lists, e.g. a progress bar.
            on_scores: Called with the index and the scores of each list that is not empty, batch by batch.
            contexts: What stands before each list (`encode`); None: nothing.

        Raises:
            NotFiniteError: A text's score is not a finite number.
            InputError: There are not as many contexts as lists, or the memory is too small.
        """
        self.scorer.eval()
        filled = [index for index, texts in enumerate(lists) if texts]
        before = [()] * len(lists) if contexts is None else contexts
        if len(before) != len(lists):
            raise InputError(f"{len(before)} contexts for {len(lists)} lists, expected one for each list")
        encoded = [self.encode(lists[index], before[index]) for index in filled]
        scores: list[list[float]] = [[] for _ in lists]
        device = self.scorer.device
        budget = token_budget or token_budget_for(self.scorer.model, device, self.options.torch_dtype(device))

        def compute(batch: list[int], token_budget: int) -> list[torch.Tensor]:
            self.scorer.token_budget = token_budget
            with self.options.forward_pass(device):
                return [values.cpu() for values in self.scorer([encoded[index] for index in batch])]

        def batch_by_batch() -> Iterator[int]:
            """Score the lists; all of a batch are scored before the first of them is yielded."""
            for batch, results in in_batches(encoded, budget, compute, self.scorer.passes_of_a_batch):
                for position, values in zip(batch, results, strict=True):
                    index = filled[position]
                    if not torch.isfinite(values).all():
                        text = lists[index][int(torch.isfinite(values).int().argmin())]
                        raise NotFiniteError(
                            f"the PLM score of {text!r} is not a finite number", mend="train the rescorer again"
                        )
                    scores[index] = values.tolist()
                    on_scores(index, scores[index])
                yield from batch

        done = batch_by_batch()
        for _ in progress(range(len(encoded)), "scoring"):
            next(done)
        return scores

    def score_lists(self, lists: Iterable[NbestList], progress: Progress = silent) -> list[list[float]]:
        """PLM scores of N-best lists after their contexts, [list][rank]; see `score`."""
        given = list(lists)
        contexts = [one.context for one in given]
        return self.score([one.texts for one in given], progress=progress, contexts=contexts)


def _save_adapter(model: PeftModel, directory: Path) -> None:
    """PEFT's files, the same bytes for the same adapter."""
    with warnings.catch_warnings():
        # A layer that AdaLoRA has pruned to rank 0 has empty tensors; PEFT takes them for a sharded model's.
        warnings.filterwarnings("ignore", message=".*have invalid shape")
        model.save_pretrained(directory)
    (directory / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    path = directory / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["target_modules"].sort()  # a set in PEFT, whose order changes from process to process
    path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def trainable_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the trainable parameters."""
    return {
        name: parameter.detach().clone() for name, parameter in module.named_parameters() if parameter.requires_grad
    }
