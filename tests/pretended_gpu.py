"""A GPU for tests where there is none: tensors that say that they are on `cuda:0`, and refuse to meet those of the CPU.

Their values are on the CPU, so that results can be compared; what is tested is that everything that meets has been put
in one place, and what the code does where it sees a GPU. It says nothing about CUDA's kernels.

PyTorch's C++ code takes these tensors for the CPU's. Where it makes a tensor beside one of them (`pad_sequence`, for
which the scorer `cls` cannot be tested so; gradients of indexing) the new one is on the CPU; in a backward pass it is
therefore taken to be on the GPU.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
MEMORY = 16 << 30


class OnGpu(torch.Tensor):
    """A tensor on the GPU; `here` are its values."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> "OnGpu":
        made: OnGpu = torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            requires_grad=here.requires_grad,
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})

    @property
    def device(self) -> torch.device:
        return GPU

    @property
    def is_cuda(self) -> bool:
        return True

    def to(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        # C++ would give back the tensor itself, for which the CPU is where it is.
        if any(isinstance(one, str | torch.device) and torch.device(one) == CPU for one in (*args, *kwargs.values())):
            return _ToCpu.apply(self).to(*args, **kwargs)
        return super().to(*args, **kwargs)

    def cpu(self) -> torch.Tensor:
        return self.to(CPU)

    def type_as(self, other: torch.Tensor) -> torch.Tensor:
        return self.to(other.dtype)

    def tolist(self) -> Any:
        return self.here.detach().tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


class _ToCpu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: OnGpu) -> torch.Tensor:
        return tensor.here.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient if isinstance(gradient, OnGpu) else OnGpu(gradient)


class _Places(TorchDispatchMode):
    """Sees what makes tensors, too, which no tensor tells the place of."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self:
            done = function.decompose(*args, **(kwargs or {}))
        return _run(function, args, kwargs or {}) if done is NotImplemented else done


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation on the values, and its results in their place."""
    name = function.name()
    if name == "aten::_fused_sdp_choice":
        return 0  # the attention that is made of other operations
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    on_gpu = [one for one in tensors if isinstance(one, OnGpu)]
    # Single numbers may come from anywhere, and indices be on the CPU.
    on_cpu = [one for one in tensors if not isinstance(one, OnGpu) and one.dim() > 0]
    if "index" in name:
        on_cpu = [one for one in on_cpu if one is args[0]]
    in_backward = torch._C._current_graph_task_id() >= 0
    if on_gpu and on_cpu and not in_backward and "copy" not in name:
        raise RuntimeError(f"Expected all tensors to be on the same device, found {name} of cuda:0 and cpu")
    asked = kwargs.get("device")
    is_gpu = in_backward or (bool(on_gpu) if asked is None else torch.device(asked).type == "cuda")
    if asked is not None:
        kwargs = {**kwargs, "device": CPU}
    known = {id(one.here): one for one in on_gpu}  # an operation in place gives back what it was given

    def placed(result: Any) -> Any:
        if not isinstance(result, torch.Tensor) or any(result is one for one in tensors):
            return result
        if id(result) in known:
            return known[id(result)]
        return OnGpu(result) if is_gpu else result

    values = tree_map(lambda one: one.here if isinstance(one, OnGpu) else one, (args, kwargs))
    return tree_map(placed, function(*values[0], **values[1]))


class _Autocast(torch.autocast):
    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(CPU.type, *args, **kwargs)


def _tensor(data: Any, *, device: Any = None, made: Any = torch.tensor, **kwargs: Any) -> torch.Tensor:
    return made(data, **kwargs) if device is None else made(data, **kwargs).to(device)


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """A GPU, for as long as this lasts; models are made before, and put there by `.to(device)`."""
    is_enabled, dtype = torch.is_autocast_enabled, torch.get_autocast_dtype
    of_torch = {
        "tensor": _tensor,
        "autocast": _Autocast,
        "inference_mode": torch.no_grad,
        "is_autocast_enabled": lambda kind=CPU.type: is_enabled(CPU.type),
        "get_autocast_dtype": lambda kind: dtype(CPU.type),
    }
    of_cuda = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "is_bf16_supported": lambda *args, **kwargs: True,
        "is_current_stream_capturing": lambda: False,
        "device": lambda *args: nullcontext(),
        "empty_cache": lambda: None,
        "get_rng_state": lambda *args: torch.zeros(1),
        "set_rng_state": lambda *args: None,
        "mem_get_info": lambda *args: (MEMORY, MEMORY),
        "reset_peak_memory_stats": lambda *args: None,
        **dict.fromkeys(("max_memory_allocated", "memory_allocated", "memory_reserved"), lambda *args: 0),
    }
    of_accelerator = {
        "current_accelerator": lambda *args, **kwargs: None
    }  # optimizers of torch 2.14 look at its stream
    swaps = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with ExitStack() as stack:
            for module, of_module in ((torch, of_torch), (torch.cuda, of_cuda), (torch.accelerator, of_accelerator)):
                for name, value in of_module.items():
                    stack.enter_context(patch.object(module, name, value))
            stack.enter_context(_Places())
            yield GPU
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swaps)
