"""TokenNorm: BatchNorm over every axis but the last."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.neurons import IF, LIF, PLIF, TokenNorm
from snnctl.neurons.kernels import use_kernel


def test_equals_batch_norm_over_flattened_tokens() -> None:
    x = torch.randn(4, 2, 5, 3, dtype=torch.float64) * 3 + 1
    ours, theirs = TokenNorm(3, gain=2.0).double(), nn.BatchNorm1d(3).double()
    expected = 2.0 * theirs(x.reshape(-1, 3)).reshape(x.shape)
    torch.testing.assert_close(ours(x), expected)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x), 2.0 * theirs.eval()(x.reshape(-1, 3)).reshape(x.shape))


def test_gain_is_the_initial_weight() -> None:
    assert TokenNorm(2, gain=2.0).weight.tolist() == [2.0, 2.0]
    assert TokenNorm(2).weight.tolist() == [1.0, 1.0]


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return (torch.randn(shape, generator=torch.Generator().manual_seed(4)) * 1.7 + 0.6).to(dtype)


NEURONS = [
    lambda c: LIF(c),
    lambda c: LIF(c, tau=3.3, reset="soft", detach_reset=False, surrogate="sigmoid"),
    lambda c: IF(c, reset="soft"),
    lambda c: PLIF(c, share="channel", learn_threshold="channel"),
    lambda c: LIF(c, tau=5.0, tau_spread=0.5, decay_input=False),
]


@pytest.mark.parametrize("make", NEURONS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 3, 5, 8), (1, 2, 37), (6, 1, 3), (3, 90, 20), (2, 2, 2100)])
def test_norm_and_neuron_in_one_pass_equal_both_apart(make: Any, training: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, v = drawn(*shape), drawn(*shape[1:]) * 0.2
    channels = shape[-1]
    neuron, first = make(channels).double(), TokenNorm(channels, gain=1.5).double()
    nn.init.uniform_(first.bias)
    first(drawn(3, 50, channels))  # running statistics
    first.train(training)
    offset = torch.linspace(-1, 1, channels, dtype=torch.float64).requires_grad_()
    found = []
    for kernel in ("auto", "reference"):
        norm = copy.deepcopy(first)
        leaves = [x.clone().requires_grad_(), v.clone().requires_grad_(), norm.weight, norm.bias, offset]
        leaves += list(neuron.parameters())
        with use_kernel(kernel):  # type: ignore[arg-type]
            spikes, last = neuron(leaves[0], leaves[1], return_state=True, norm=norm, offset=offset)
        weights = torch.linspace(-1, 1, spikes.numel(), dtype=torch.float64).view_as(spikes)
        grads = torch.autograd.grad((spikes * weights).sum() + last.sum(), leaves)
        buffers = [norm.running_mean, norm.running_var, norm.num_batches_tracked]
        found.append(([spikes.detach(), last.detach(), *grads], buffers))
    assert found[0][0][0].any()
    for a, b in zip(found[0][0] + found[0][1], found[1][0] + found[1][1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_the_norm_is_not_kept_for_the_backward_pass() -> None:
    x = drawn(4, 8, 64, 32, dtype=torch.float32).requires_grad_()
    neuron, norm = LIF(32), TokenNorm(32)
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        neuron(x, norm=norm)
    size = x.numel() * 4
    assert size <= sum(kept.values()) < 1.05 * size  # the input itself, and a few numbers per channel


def test_statistics_do_not_cancel() -> None:
    # A mean a thousand times the deviation: sums of squares around zero would lose it in float32.
    x = drawn(4, 40, 16, dtype=torch.float32) * 0.01 + 30.0
    fused, apart = TokenNorm(16), TokenNorm(16)
    LIF(16)(x, norm=fused)
    apart.double()(x.double())
    torch.testing.assert_close(fused.running_var, apart.running_var.float(), rtol=1e-4, atol=0)
    torch.testing.assert_close(fused.running_mean, apart.running_mean.float(), rtol=1e-6, atol=0)


def test_cumulative_average_as_in_torch() -> None:
    x = drawn(4, 5, 3)
    ours, theirs = TokenNorm(3).double(), nn.BatchNorm1d(3, momentum=None).double()
    ours.momentum = None
    for batch in (x, x * 2, x - 1):
        LIF(3)(batch, norm=ours)
        theirs(batch.flatten(0, -2))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_a_single_token_is_refused_as_by_torch() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        LIF(3)(torch.ones(1, 1, 3), norm=TokenNorm(3))
    assert LIF(3)(torch.ones(1, 1, 3), norm=TokenNorm(3).eval()).shape == (1, 1, 3)
    with pytest.raises(RuntimeError, match="running_mean should contain 4 elements"):
        LIF(4)(torch.ones(2, 2, 4), norm=TokenNorm(3).eval())


def test_a_hook_on_the_norm_sees_its_output() -> None:
    norm, seen = TokenNorm(3), []
    norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = drawn(4, 5, 3, dtype=torch.float32)
    LIF(3)(x, norm=norm)
    assert len(seen) == 1
    assert seen[0].mean().abs() < 1e-5


def test_neurons_with_an_equation_of_their_own_get_the_normalised_current() -> None:
    class Doubled(LIF):
        def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            return super().step(2 * x_t, state)

    x, norm = drawn(4, 5, 3), TokenNorm(3).double()
    assert Doubled.fuses_norm
    assert not Doubled.one_equation
    assert torch.equal(Doubled(3)(x, norm=norm), LIF(3)(2 * TokenNorm(3).double()(x)))
    assert torch.equal(Doubled(3)(x), LIF(3)(2 * x))


@pytest.mark.parametrize("features", [1, 2, 4, 5])
def test_few_features_are_normalised_like_many(features):
    torch.manual_seed(3)
    x = torch.randn(6, 5, 3, features, requires_grad=True)
    ours, plain = TokenNorm(features, gain=1.5), torch.nn.BatchNorm1d(features)
    torch.nn.init.constant_(plain.weight, 1.5)
    upstream = torch.randn_like(x)

    found, expected = ours(x), plain(x.reshape(-1, features)).view_as(x)

    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours.running_var, plain.running_var)
    torch.testing.assert_close(ours.running_mean, plain.running_mean)
    for a, b in zip(
        torch.autograd.grad(found, [x, ours.weight, ours.bias], upstream),
        torch.autograd.grad(expected, [x, plain.weight, plain.bias], upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    ours.eval(), plain.eval()
    torch.testing.assert_close(ours(x), plain(x.reshape(-1, features)).view_as(x))
