"""How scores are computed: the numbers' type, quantisation, history merging, and on which device.

torch takes seconds to import, and a verb that only checks its options does not need it: the functions here import it.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lorescore.choices import require_choice
from lorescore.errors import InputError

if TYPE_CHECKING:
    import torch

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}  # by torch's names
AUTO = "auto"
QUANTIZATIONS = ("", "int8")


@dataclass(frozen=True)
class ScoringOptions:
    """How scores are computed.

    Attributes:
        dtype: `fp32`, `bf16`, or `auto`: bf16 on a GPU that has it, else fp32. Matrices are multiplied in bf16 then,
            and what the layers give is added up in float32, as in training.
        quantize: `int8`: linear layers with 8-bit weights and activations (`lorescore.scoring.int8`), on a CPU; empty:
            none.
        history: `clm`: merge the states of a list whose last so many tokens agree (`prefix_tree`); None: exact scores.
    """

    dtype: str = AUTO
    quantize: str = ""
    history: int | None = None

    def __post_init__(self) -> None:
        require_choice("--dtype", self.dtype, [AUTO, *DTYPES])
        require_choice("--quantize", self.quantize, QUANTIZATIONS)
        if self.history is not None and self.history < 1:
            raise InputError(f"--history is {self.history}, expected 1 or more", mend="leave it out for exact scores")
        if self.quantize and self.dtype == "bf16":
            raise InputError("--quantize int8 goes with fp32", mend="leave out --dtype bf16")

    def require_device(self, device: "torch.device") -> None:
        """Check that a device can compute so.

        Raises:
            InputError: It cannot.
        """
        if self.quantize and device.type != "cpu":
            message = f"--quantize int8 is for a CPU, this is {device.type}"
            raise InputError(message, mend="leave it out: bf16 is used here")

    def torch_dtype(self, device: "torch.device") -> "torch.dtype":
        """The numbers' type of the matrix products on a device."""
        import torch

        if self.dtype != AUTO:
            dtype: torch.dtype = getattr(torch, DTYPES[self.dtype])
            return dtype
        return torch.bfloat16 if has_fast_bf16(device) and not self.quantize else torch.float32

    def rounds_weights(self, device: "torch.device") -> bool:
        """Whether a device holds the weights of linear layers in bf16 (`lorescore.scoring.bf16`); a CPU does not."""
        return device.type != "cpu" and self._has_bf16_products(device)

    def forward_pass(self, device: "torch.device") -> AbstractContextManager[Any]:
        """The context of the forward passes on a device."""
        import torch

        if not self._has_bf16_products(device):
            return nullcontext()  # whatever a caller has entered holds, as in training
        return torch.autocast(device.type, torch.bfloat16)

    def describe(self, device: "torch.device") -> str:
        """What scores on a device depend on, besides the rescorer and the text: `float32`, `int8 history=4`, ..."""
        numbers = self.quantize or str(self.torch_dtype(device)).removeprefix("torch.")
        if self._has_bf16_products(device):
            numbers += " products"
        return numbers if self.history is None else f"{numbers} history={self.history}"

    def _has_bf16_products(self, device: "torch.device") -> bool:
        import torch

        return self.torch_dtype(device) == torch.bfloat16


EXACT = ScoringOptions()


def device_of(device: "torch.device | str | None") -> "torch.device":
    """A device by torch's name; None: `default_device`.

    Raises:
        InputError: There is no such device here.
    """
    import torch

    if device is None:
        return default_device()
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without it
        message = f"no device {device!r} here: {str(error).splitlines()[0]:.100}"
        raise InputError(message, mend="leave it out for the GPU where there is one, or else the CPU") from error
    return found


def default_device() -> "torch.device":
    """The GPU where there is one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_fast_bf16(device: "torch.device") -> bool:
    """Whether bf16 is what to compute with where nobody says otherwise: on a GPU that has it.

    An older one takes bf16 tensors too, and emulates what it does with them: slower than float32, and less exact.
    """
    import torch

    if device.type != "cuda":
        return False
    with torch.cuda.device(device) if device.index is not None else nullcontext():  # torch asks the current one
        return torch.cuda.is_bf16_supported(including_emulation=False)
