"""Every family of conf/plm, with the settings of its page: adapted, trained, saved, and loaded with PEFT alone.

The PLMs are tiny and random; whether `bos` and `eos` of a page are in the vocabulary, only the model itself can say.
"""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from plm_models import CONF_FAMILIES, new_rescorer
from safetensors.torch import load_file

from lorescore.plm.settings import PlmSettings
from lorescore.plm.strategies import adapt
from lorescore.plm.strategy import Strategy
from lorescore.scoring.cls import ClsScorer
from lorescore.scoring.rescorer import Rescorer

CONF_DIR = Path(__file__).parents[2] / "conf" / "plm"
PAGES = {plm: PlmSettings.find(plm, CONF_DIR) for plm in CONF_FAMILIES}
# One page of those that differ in no more than the size.
CASES = {(CONF_FAMILIES[plm], page.scorer, page.targets): plm for plm, page in PAGES.items()}.values()
STEPS = 2
# AdaLoRA has to prune between two steps: nothing before, nothing after.
STRATEGIES = {
    "vanilla": Strategy("vanilla", rank=2, alpha=8),
    "adalora": Strategy("adalora", rank=2, alpha=8, init_rank=4, initial_share=0, final_share=0, allocate_every=1),
}
TEXTS = ["the cat sat on the mat", "a cat sat on the mat", "the cat has seen", "the sea"]
ERRORS = torch.tensor([0.0, 1.0, 4.0, 5.0])
SCORE_SCALE = 0.05  # a random PLM's scores are tens of nats apart: a softmax of one hypothesis has no gradient
TOLERANCE = 1e-5  # of a score


def fresh(folder: Path, plm: str) -> Rescorer:
    page = PAGES[plm]
    settings = {"plm_text": page.plm_text, "within_word_l2r": page.within_word_l2r, "targets": page.targets}
    return new_rescorer(folder, CONF_FAMILIES[plm], page.scorer, **settings)


def train(rescorer: Rescorer, strategy: Strategy) -> None:
    """Two steps on the expected errors of one list, in the order of the training loop."""
    adaptation = adapt(rescorer.scorer.model, strategy, rescorer.plm.targets, STEPS, seed=1)
    rescorer.scorer.model = adaptation.model
    parameters = [parameter for parameter in rescorer.scorer.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=3e-2)
    for step in range(1, STEPS + 1):
        adaptation.before_step(step)
        (scores,) = rescorer.scorer([rescorer.encode(TEXTS)])
        loss = ((SCORE_SCALE * scores).softmax(-1) * ERRORS).sum()
        term = adaptation.regularizer()
        (loss if term is None else loss + term).backward()
        optimizer.step()
        adaptation.after_step(step, optimizer)
        optimizer.zero_grad(set_to_none=True)
    adaptation.finalize()


def scores(rescorer: Rescorer) -> torch.Tensor:
    return torch.tensor(rescorer.score([TEXTS])[0], dtype=torch.float64)


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys", "error:fan_in_fan_out")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("plm", CASES)
def test_stock_peft_gives_the_scores_of_a_trained_rescorer(plm: str, strategy: str, tmp_path: Path) -> None:
    rescorer = fresh(tmp_path, plm)
    before = scores(rescorer)
    train(rescorer, STRATEGIES[strategy])
    expected = scores(rescorer)
    assert (expected - before).abs().max() > 1e-2
    rescorer.save(tmp_path / "out")

    stock = fresh(tmp_path, plm)
    stock.scorer.model = PeftModel.from_pretrained(stock.scorer.model, tmp_path / "out").eval()
    if isinstance(stock.scorer, ClsScorer):
        stock.scorer.head.load_state_dict(load_file(tmp_path / "out" / "head.safetensors"))
    torch.testing.assert_close(scores(stock), expected, rtol=TOLERANCE, atol=TOLERANCE)
    merged = Rescorer.load(tmp_path / "out")
    assert not any(isinstance(part, PeftModel) for part in merged.scorer.modules())
    torch.testing.assert_close(scores(merged), expected, rtol=TOLERANCE, atol=TOLERANCE)
