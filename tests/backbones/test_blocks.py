"""SpikingLinear: the layer as one, apart, folded and streamed."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnctl.backbones import Spikformer, SpikingConv, SpikingLinear, fold_norms
from snnctl.core.catalog import NEURONS
from snnctl.core.shapes import SignalSpec
from snnctl.neurons import LIF
from snnctl.neurons.kernels import use_kernel


def spikes(*shape: int, rate: float = 0.3, dtype: torch.dtype = torch.float64) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < rate).to(dtype)


@pytest.mark.parametrize("norm_gain", [None, 2.0])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("neuron", ["lif", "plif", "alif"])
def test_fast_and_plain_agree(neuron: str, training: bool, norm_gain: float | None) -> None:
    torch.manual_seed(0)
    layer = SpikingLinear(12, 8, NEURONS.get(neuron), norm_gain=norm_gain).double()
    with torch.no_grad():
        layer.linear.weight.mul_(4.0)  # without a norm, nothing would fire
    layer(spikes(3, 9, 5, 12))
    layer.train(training)
    x = spikes(4, 3, 5, 12)
    found = []
    for kernel in ("auto", "reference"):
        one, leaf = copy.deepcopy(layer), x.clone().requires_grad_()
        with use_kernel(kernel):  # type: ignore[arg-type]
            out = one(leaf)
        weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)
        (out * weights).sum().backward()
        found.append([out.detach(), leaf.grad, *(p.grad for p in one.parameters()), *one.buffers()])
    assert found[0][0].any()
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def test_the_bias_before_a_norm_counts_in_evaluation() -> None:
    torch.manual_seed(0)
    layer = SpikingLinear(6, 4, LIF, norm_gain=2.0).double()
    x = spikes(4, 30, 5, 6)
    plain = torch.nn.functional.linear(x, layer.linear.weight, layer.linear.bias)
    layer(x)
    expected_mean = 0.1 * plain.flatten(0, -2).mean(0)
    torch.testing.assert_close(layer.norm.running_mean, expected_mean)  # type: ignore[arg-type]
    layer.eval()
    with use_kernel("reference"):
        expected = layer(x)
    assert torch.equal(layer(x), expected)


def test_folding_changes_nothing() -> None:
    torch.manual_seed(0)
    network = Spikformer(
        SignalSpec(4, 6, 5, kind="spikes"), dim=16, depth=2, heads=2, embed_norm=True, norm_gain=2.0, position="cpg"
    ).double()
    x = spikes(4, 7, 6, 5)
    for _ in range(5):
        network(x)
    network.eval()
    folded = fold_norms(network)
    assert not any("norm" in name for name, _ in folded.named_parameters())
    assert any("norm" in name for name, _ in network.named_parameters())  # the original is left alone
    out = network(x)
    assert out.any()
    assert torch.equal(folded(x), out)


@pytest.mark.parametrize("folded", [True, False])
def test_streaming_step_by_step_is_the_whole(folded: bool) -> None:
    torch.manual_seed(0)
    layer = SpikingLinear(256, 256, LIF, norm_gain=2.0)
    for _ in range(30):
        layer(spikes(4, 100, 256, rate=0.05, dtype=torch.float32))
    stream: Any = fold_norms(layer) if folded else layer.eval()
    x = spikes(20, 1, 256, rate=0.05, dtype=torch.float32)
    with torch.no_grad():
        with use_kernel("reference"):
            whole, end = stream(x, return_state=True)
        state, parts = None, []
        for x_t in x.split(1):
            out, state = stream(x_t, state, return_state=True)
            parts.append(out)
    assert whole.any()
    assert torch.equal(torch.cat(parts), whole)
    torch.testing.assert_close(state, end, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm_gain", [None, 2.0])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("knobs", [{}, {"stride": 2, "kernel": 4, "padding": 1}, {"groups": 2, "kernel": 1}])
def test_convolution_equals_torchs_layers(knobs: dict[str, Any], training: bool, norm_gain: float | None) -> None:
    torch.manual_seed(0)
    layer = SpikingConv(4, 6, LIF, norm_gain=norm_gain, **knobs).double()
    x = spikes(3, 5, 4, 8, 10) * 4
    layer(x)
    layer.train(training)
    plain = nn.BatchNorm2d(6).double().train(training)
    if norm_gain is not None:
        plain.load_state_dict(layer.norm.state_dict())
    conv = layer.conv
    current = F.conv2d(x.flatten(0, 1), conv.weight, conv.bias, conv.stride, conv.padding, groups=conv.groups)
    current = current if norm_gain is None else plain(current)
    expected = LIF(current.shape[-1])(current.unflatten(0, (3, 5)))
    out = layer(x)
    assert out.any()
    assert torch.equal(out, expected)
    for key, value in plain.state_dict().items() if norm_gain is not None else ():
        torch.testing.assert_close(layer.norm.state_dict()[key], value)
    assert torch.equal(fold_norms(layer)(x), layer.eval()(x))


def test_convolutions_pass_on_channels_last_without_copies() -> None:
    torch.manual_seed(0)
    first, second = SpikingConv(3, 8, LIF), SpikingConv(8, 8, LIF)
    x = torch.rand(2, 4, 3, 8, 8)
    out = first(x)
    assert out.shape == (2, 4, 8, 8, 8)
    assert out.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    assert out.flatten(0, 1).data_ptr() == out.data_ptr()
    whole, end = second(out, return_state=True)
    part, state = second.eval()(out[:1], return_state=True)
    again, state = second(out[1:], state, return_state=True)
    assert state.shape == end.shape == (4, 8, 8, 8)
    assert torch.equal(torch.cat((part, again)), second(out))
    whole.sum().backward()
    assert first.conv.weight.grad is not None


@pytest.mark.parametrize("which", ["norm.weight", "norm.bias", "linear.weight", "linear.bias"])
def test_torch_func_gradients_of_one_parameter(which: str) -> None:
    torch.manual_seed(0)
    layer = SpikingLinear(12, 8, LIF, norm_gain=2.0).double().eval()
    x = spikes(4, 3, 5, 12)
    parameter = dict(layer.named_parameters())[which]

    def loss(value: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(layer, {which: value}, (x,))
        return (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum()

    (expected,) = torch.autograd.grad(loss(parameter), parameter)
    assert expected.any()
    torch.testing.assert_close(torch.func.grad(loss)(parameter.detach()), expected, rtol=1e-8, atol=1e-10)
