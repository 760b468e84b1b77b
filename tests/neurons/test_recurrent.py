"""Spikes that come back through weights: all steps in one call against the loop, values and gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.core.catalog import NEURONS
from snnctl.measure.spikes import SpikeMeter
from snnctl.neurons import ALIF, LIF, PLIF, PSN
from snnctl.neurons.kernels import compiled, use_kernel
from snnctl.neurons.recurrent import only_for_spikes, recurrent_scan
from snnctl.neurons.spike_format import SpikeFormat

RECURRENT = ("lif", "if", "plif", "tau_lif", "alif", "cuba_lif", "klif", "glif", "resonate_fire", "shift_lif", "clif")


def drawn(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def weights(width: int, scale: float = 1.0) -> nn.Parameter:
    return nn.Parameter(drawn(width, width, seed=1, scale=scale * width**-0.5))


def outcome(
    neuron: Any, x: Tensor, weight: Tensor, spikes: Tensor | None, state: Any, lag: int = 1
) -> dict[str, Tensor]:
    """All that comes of it: spikes, last state, and gradients of everything that was given."""
    parts = () if state is None else state if isinstance(state, tuple) else (state,)
    given = [x, weight, *([] if spikes is None else [spikes]), *parts, *neuron.parameters()]
    leaves = [part for part in given if part.requires_grad]
    found, last = recurrent_scan(neuron, x, weight, spikes, state, lag=lag)
    lasts = last if isinstance(last, tuple) else (last,)
    ends = [part for part in (found, *lasts) if part.requires_grad]
    loss = sum((end * drawn(*end.shape, seed=7 + k).to(end.dtype)).sum() for k, end in enumerate(ends))
    grads = torch.autograd.grad(loss, leaves, allow_unused=True)
    named = {f"gradient {k}": part for k, part in enumerate(grads) if part is not None}
    return {"spikes": found, **{f"state {k}": part for k, part in enumerate(lasts)}, **named}


def check(
    neuron: Any, x: Tensor, weight: Tensor, spikes: Tensor | None = None, state: Any = None, lag: int = 1
) -> Tensor:
    """The kernel against the loop; the spikes."""
    assert compiled.recurrent_scan(neuron, x, weight, spikes, state, lag) is not None
    found = outcome(neuron, x, weight, spikes, state, lag)
    with use_kernel("reference"):
        expected = outcome(neuron, x, weight, spikes, state, lag)
    assert found.keys() == expected.keys()
    assert torch.equal(found["spikes"], expected["spikes"])
    for name, part in expected.items():
        torch.testing.assert_close(
            found[name], part, rtol=1e-10, atol=1e-10, msg=lambda told, name=name: f"{name}: {told}"
        )
    return found["spikes"]


@pytest.mark.parametrize("name", RECURRENT)
def test_every_pointwise_neuron_equals_its_loop(name: str) -> None:
    torch.manual_seed(0)
    neuron = NEURONS.get(name)(21).double()
    fired = check(neuron, drawn(9, 5, 21, scale=1.5).requires_grad_(), weights(21))
    assert 0.02 < fired.abs().mean() < 0.9


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 16), (7, 1, 65), (5, 4, 64), (40, 9, 130), (3, 2, 3, 33)])
@pytest.mark.parametrize("lag", [1, 3])
@pytest.mark.parametrize("goes_on", [False, True])
def test_sizes_lags_and_what_was_before(shape: tuple[int, ...], lag: int, goes_on: bool) -> None:
    steps = shape[0] * lag
    x = drawn(steps, *shape[1:], scale=1.5).requires_grad_()
    before = None if not goes_on else (drawn(lag, *shape[1:], seed=3) > 0.5).double().requires_grad_()
    state = None if not goes_on else drawn(*shape[1:], seed=4).requires_grad_()
    check(PLIF(shape[-1], share="channel", tau_spread=0.3).double(), x, weights(shape[-1], 2.0), before, state, lag)


def test_a_state_of_several_parts_is_handed_on() -> None:
    neuron, weight, x = ALIF(40).double(), weights(40), drawn(12, 3, 40, scale=2.0)
    with torch.no_grad():
        whole, last = recurrent_scan(neuron, x, weight, None, None)
        first, state = recurrent_scan(neuron, x[:5], weight, None, None)
        second, end = recurrent_scan(neuron, x[5:], weight, first[-1:], state)
    assert torch.equal(torch.cat((first, second)), whole)
    assert all(map(torch.equal, last, end))


@pytest.mark.parametrize("levels", [1, 2])
def test_float32_differs_by_rounding_alone(levels: int) -> None:
    neuron, x = LIF(128, spike=SpikeFormat(levels, 0)), drawn(60, 16, 128, scale=1.2).float().requires_grad_()
    weight = weights(128).float().detach().requires_grad_()
    found, _ = recurrent_scan(neuron, x, weight, None, None)
    with use_kernel("reference"):
        expected, _ = recurrent_scan(neuron, x, weight, None, None)
    assert (found != expected).double().mean() < 2e-3


def test_same_with_any_number_of_threads() -> None:
    neuron, x, weight = PLIF(64).double(), drawn(30, 70, 64).requires_grad_(), weights(64)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(outcome(neuron, x, weight, None, None))
    finally:
        torch.set_num_threads(before)
    for name in ("spikes", "gradient 0", "gradient 2"):
        assert torch.equal(results[0][name], results[1][name])


def test_under_autocast() -> None:
    neuron, x, weight = LIF(64), drawn(20, 4, 64).bfloat16().requires_grad_(), weights(64).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, last = recurrent_scan(neuron, x, weight, None, None)
    exact, _ = recurrent_scan(neuron, x.float(), weight, None, None)
    assert found.dtype == torch.bfloat16
    assert last.dtype == torch.float32
    assert torch.equal(found.float(), exact)
    assert torch.autograd.grad(found.sum(), x)[0].dtype == torch.bfloat16


def test_nan_is_passed_on() -> None:
    neuron, x = LIF(32).double(), drawn(4, 2, 32)
    weight = weights(32).detach()
    spikes = torch.zeros(1, 2, 32, dtype=torch.float64)
    spikes[0, 1, 3] = float("nan")
    with torch.no_grad():
        _, last = recurrent_scan(neuron, x[:1], weight, spikes, None)
    assert not last[0].isnan().any()
    assert last[1].isnan().any()


def test_who_runs_step_by_step() -> None:
    x, weight = drawn(4, 2, 8), weights(8)
    assert not PSN(8, steps=4).runs_its_step
    neuron = LIF(8).double()
    assert compiled.recurrent_scan(neuron, x.float(), weight, None, None, 1) is None
    seen = []
    with neuron.register_forward_hook(lambda *_: seen.append(1)):
        recurrent_scan(neuron, x, weight, None, None)
    assert len(seen) == 4


def test_spikes_are_counted_all_at_once() -> None:
    """A meter of spikes keeps no layer from going through all steps in one call, and counts the same."""
    neuron, x, weight = LIF(16).double(), drawn(9, 3, 16, scale=2.0), weights(16)
    seen: list[Tensor] = []

    @only_for_spikes
    def keep(_module: nn.Module, _given: Any, found: Any) -> None:
        seen.append(found[0])

    with torch.no_grad(), neuron.register_forward_hook(keep):
        found, _ = recurrent_scan(neuron, x, weight, None, None)
    assert len(seen) == 1
    assert torch.equal(seen[0], found)
    with torch.no_grad(), SpikeMeter(nn.ModuleList([neuron])) as meter:
        found, _ = recurrent_scan(neuron, x, weight, None, None)
    assert meter.totals().mean_rate == pytest.approx(float(found.mean()))
