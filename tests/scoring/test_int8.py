"""8-bit layers: near the exact ones, with channels and tokens of very different size, whatever is beside a token."""

import pytest
import torch
from torch import nn

from lorescore.errors import InputError
from lorescore.scoring.int8 import MAX_ERROR, Int8Linear, quantize


def inputs_with_large_channels(num_tokens: int) -> torch.Tensor:
    """States of which two channels are 100 times as large as the others."""
    torch.manual_seed(0)
    inputs = torch.randn(num_tokens, 64)
    inputs[:, [3, 40]] *= 100.0
    return inputs


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Length of the difference over the length of what is expected."""
    return float(torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected))


@torch.no_grad()
def test_an_8_bit_layer_is_near_the_exact_one() -> None:
    linear = nn.Linear(64, 48)
    linear.weight[:, [3, 40]] /= 30.0
    inputs = inputs_with_large_channels(200)
    layer = Int8Linear(linear, inputs[:100])
    assert layer.weight.dtype == torch.int8
    assert relative_error(layer(inputs[100:]), linear(inputs[100:])) < 2 * MAX_ERROR
    assert layer(inputs.view(2, 100, 64)).shape == (2, 100, 48)


@torch.no_grad()
def test_a_second_product_where_8_bits_of_the_activations_are_too_few() -> None:
    torch.manual_seed(1)
    linear = nn.Linear(512, 48, bias=False)
    linear.weight[:] = linear.weight.sign() * 0.1
    calm = torch.randn(100, 512)
    spiky = calm.clone()
    spiky[torch.arange(100), torch.arange(100)] *= 20.0  # another channel in each token: no factor smooths it
    assert not Int8Linear(linear, calm).second_product
    layer = Int8Linear(linear, spiky)
    assert layer.second_product
    second = relative_error(layer(spiky), linear(spiky))
    layer.second_product = False
    assert second < 0.5 * relative_error(layer(spiky), linear(spiky))


@torch.no_grad()
def test_a_token_does_not_depend_on_those_beside_it() -> None:
    inputs = inputs_with_large_channels(60)
    layer = Int8Linear(nn.Linear(64, 48), inputs)
    assert torch.equal(layer(inputs)[7:9], layer(inputs[7:9]))
    assert torch.equal(layer(inputs)[:, 5:40], layer.part(inputs, 5, 40))
    assert torch.equal(layer(torch.zeros(2, 64)), layer.bias.expand(2, 48))


def test_every_linear_layer_is_replaced() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Sequential(nn.Linear(16, 4)))
    quantize(model, lambda: model(torch.randn(10, 8)))
    assert [type(module) for module in model.modules() if "Linear" in type(module).__name__] == [Int8Linear] * 2


def test_a_model_without_linear_layers() -> None:
    with pytest.raises(InputError, match="no linear layers that could be quantized"):
        quantize(nn.Sequential(nn.Embedding(3, 4)), lambda: None)
