"""STC's compiled steps against its plain loop: values, gradients, states, and when they stand aside."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from state_traces import random_current
from torch import Tensor

from snnctl.neurons import IF, LIF, LMH, PLIF, STC, STCLIF, STCPLIF, Rectangle, SpikingNeuron
from snnctl.neurons.chunks import use_time_chunks
from snnctl.neurons.kernels import can_be_fast, use_kernel
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.neurons.stc import watch_circuits
from snnctl.neurons.stc_fast import fast_scan
from snnctl.neurons.tau_lif import TauLIF

pytestmark = pytest.mark.skipif(not can_be_fast(torch.ones(2, 2)), reason="no compiled kernels here")

SOFT: dict[str, Any] = {"reset": "soft", "detach_reset": False, "surrogate": "sigmoid"}
HOSTS: dict[str, Any] = {
    "if": lambda n: IF(n, **SOFT),
    "lif": lambda n: LIF(n, **SOFT, tau=3.0),
    "lif_hard": LIF,
    "lif_spread": lambda n: LIF(n, tau_spread=0.5, decay_input=False, learn_threshold="channel", surrogate="triangle"),
    "plif": lambda n: PLIF(n, share="channel", learn_threshold="layer", detach_reset=False),
    "tau_lif": lambda n: TauLIF(n, learn="channel", learn_threshold="channel"),
    "multi_bit": lambda n: LIF(n, reset="soft", spike=SpikeFormat(2, 1), detach_reset=False),
    "signed": lambda n: IF(n, reset="soft", spike=SpikeFormat(1, 1, quantizer="round", signed=True)),
}


def made(dtype: torch.dtype = torch.float64, seed: int = 0, channels: int = 16, **knobs: Any) -> STC:
    """With parameters away from where they start."""
    torch.manual_seed(seed)
    neuron = STC(channels, **{"kernel": 3, "axes": 2, **knobs}).to(dtype)
    with torch.no_grad():
        for circuit in neuron.circuits:
            circuit.shift.normal_(0.0, 0.3)
            if circuit.gain is not None:
                circuit.gain.normal_(1.0, 0.3)
    return neuron


def runs_fast(neuron: STC, x: Tensor, state: Any = None) -> bool:
    state = neuron.initial_state(x[0]) if state is None else state
    found = fast_scan(neuron.host, neuron.temporal, neuron.spatial, x, state, detach=neuron.detach, take=None)
    return found is not None


def everything(neuron: STC, x: Tensor, state: tuple[Tensor, Tensor], kernel: Any) -> dict[str, Tensor]:
    """Outputs and gradients of one scan, from losses on spikes, membrane and last spikes alike."""
    x, *state = (part.clone().requires_grad_() for part in (x, *state))
    neuron.zero_grad()
    with use_kernel(kernel):
        spikes, end = neuron(x, tuple(state), return_state=True)
    for part in (spikes, *end):
        assert part.shape in (x.shape, x.shape[1:])
    weights = random_current(*x.shape, seed=9).to(x.dtype)
    loss = (spikes * weights).sum() + sum((part * weights[0]).sum() for part in end)
    loss.backward()
    found = {"spikes": spikes, "v": end[0], "s": end[1], "x": x.grad, "v0": state[0].grad, "s0": state[1].grad}
    found |= {name: p.grad for name, p in neuron.named_parameters()}
    return {name: torch.zeros(()) if value is None else value.detach() for name, value in found.items()}


def assert_alike(neuron: STC, x: Tensor, state: tuple[Tensor, Tensor], rtol: float = 1e-9) -> None:
    assert runs_fast(neuron, x, state)
    fast, plain = (everything(neuron, x, state, kernel) for kernel in ("auto", "reference"))
    for name, expected in plain.items():
        largest = float(expected.abs().max()) + 1e-6
        torch.testing.assert_close(
            fast[name].expand_as(expected), expected, rtol=0, atol=rtol * largest, msg=lambda m, n=name: f"{n}: {m}"
        )


def some_state(*shape: int) -> tuple[Tensor, Tensor]:
    return random_current(*shape, seed=3, scale=0.7), (random_current(*shape, seed=4) > 0.5).double()


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("circuit", ["both", "temporal", "spatial"])
@pytest.mark.parametrize("name", list(HOSTS))
def test_as_the_plain_loop_for_every_host(name: str, circuit: Any, detach: bool) -> None:
    neuron = made(host=HOSTS[name], circuit=circuit, groups=4, detach=detach)
    assert_alike(neuron, random_current(5, 2, 4, 5, 16, scale=1.5), some_state(2, 4, 5, 16))


@settings(max_examples=25, deadline=None)
@given(
    steps=st.integers(1, 5),
    batch=st.integers(1, 3),
    height=st.integers(1, 6),
    width=st.integers(16, 19),
    block=st.sampled_from([1, 2, 4, 8, 16, 32]),
    groups=st.sampled_from([1, 2, 3, 4, 8]),
    kernel=st.sampled_from([1, 3, 5]),
    axes=st.sampled_from([1, 2]),
    norm=st.sampled_from(["group", "wide", "layer", "none"]),
    detach=st.booleans(),
    seed=st.integers(0, 99),
)
def test_as_the_plain_loop_for_any_shape(
    steps: int,
    batch: int,
    height: int,
    width: int,
    block: int,
    groups: int,
    kernel: int,
    axes: int,
    norm: str,
    detach: bool,
    seed: int,
) -> None:
    channels = block * groups
    if channels % 8:
        return
    given: dict[str, Any] = {"norm": "group", "norm_groups": 1} if norm == "wide" else {"norm": norm}
    neuron = made(
        seed=seed, channels=channels, host=HOSTS["if"], groups=groups, kernel=kernel, axes=axes, detach=detach, **given
    )
    shape = (batch, height, width, channels)
    assert_alike(neuron, random_current(steps, *shape, seed=seed, scale=1.5), some_state(*shape))


@pytest.mark.parametrize("detach", [True, False])
def test_float32(detach: bool) -> None:
    """One step: over several, a spike that comes or not for the sake of the last place changes everything after it."""
    neuron = made(torch.float32, host=HOSTS["plif"], groups=4, detach=detach)
    x, state = random_current(1, 2, 6, 6, 16, scale=1.5).float(), some_state(2, 6, 6, 16)
    single = (state[0].float(), state[1].float())
    fast, plain = (everything(neuron, x, single, kernel) for kernel in ("auto", "reference"))
    assert torch.equal(fast["spikes"], plain["spikes"])
    for name, expected in plain.items():
        largest = float(expected.abs().max()) + 1e-6
        torch.testing.assert_close(fast[name].expand_as(expected), expected, rtol=0, atol=2e-5 * largest)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", ["group", "none"])
@pytest.mark.parametrize("name", list(HOSTS))
def test_silent_kernels_leave_the_host_to_the_bit(name: str, norm: Any, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    host = HOSTS[name](16).to(dtype)
    torch.manual_seed(0)
    neuron = STC(16, host=HOSTS[name], groups=4, axes=2, norm=norm).to(dtype)
    with torch.no_grad():
        for circuit in neuron.circuits:
            circuit.weight.zero_()
    x = random_current(9, 2, 4, 5, 16, scale=1.5).to(dtype)
    assert runs_fast(neuron, x)
    assert torch.equal(neuron(x), host(x))
    with torch.no_grad():
        assert torch.equal(neuron(x), host(x))


def test_the_first_step_has_factors_of_one() -> None:
    neuron = STCLIF(16, kernel=3, axes=2, groups=4)
    seen: list[tuple[Tensor, ...]] = []
    with watch_circuits(lambda _neuron, *told: seen.append(told)):
        neuron(random_current(4, 2, 4, 4, 16).float())
    assert all(torch.equal(factor, torch.ones_like(factor)) for factor in seen[0][:2])
    assert all((factor > 0).all() and (factor < 2).all() for told in seen for factor in told[:2])


@pytest.mark.parametrize("circuit", ["both", "temporal", "spatial"])
def test_who_watches_is_told_the_same(circuit: Any) -> None:
    neuron = made(host=HOSTS["if"], circuit=circuit, groups=4)
    x = random_current(5, 2, 4, 5, 16, scale=1.5)
    told: dict[str, list[tuple[Tensor, ...]]] = {"auto": [], "reference": []}
    for kernel, seen in told.items():
        with use_kernel(kernel), watch_circuits(lambda _neuron, *values, seen=seen: seen.append(values)):  # type: ignore[arg-type]
            neuron(x)
    assert len(told["auto"]) == 5
    for fast, plain in zip(told["auto"], told["reference"], strict=True):
        for a, b in zip(fast, plain, strict=True):
            assert (a is None) is (b is None)
            if b is not None:
                torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_without_gradients_and_in_pieces() -> None:
    neuron = made(torch.float32, host=HOSTS["if"], groups=4)
    x = random_current(7, 2, 4, 5, 16, scale=1.5).float()
    with_gradients, end = neuron(x, return_state=True)
    with torch.no_grad():
        assert torch.equal(neuron(x), with_gradients)
        first, state = neuron(x[:3], return_state=True)
        kept = [part.clone() for part in state]
        second, last = neuron(x[3:], state, return_state=True)
        assert torch.equal(torch.cat((first, second)), with_gradients)
        assert all(torch.equal(a, b) for a, b in zip(state, kept, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(last, end, strict=True))


def test_step_by_step_calls_have_the_gradient_of_the_whole() -> None:
    neuron = made(host=HOSTS["if"], groups=4, detach=False)
    x = random_current(6, 2, 4, 5, 16, scale=1.5)
    weights = random_current(*x.shape, seed=5)
    grads = []
    for pieces in (x.split(6), x.split(1), x.split(4)):
        leaves = [piece.clone().requires_grad_() for piece in pieces]
        neuron.zero_grad()
        out, state = [], None
        for leaf in leaves:
            spikes, state = neuron(leaf, state, return_state=True)
            out.append(spikes)
        (torch.cat(out) * weights).sum().backward()
        found = [torch.cat([leaf.grad for leaf in leaves if leaf.grad is not None])]
        grads.append(found + [p.grad.clone() for p in neuron.parameters() if p.grad is not None])
    for others in grads[1:]:
        for a, b in zip(others, grads[0], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10 * float(b.abs().max()))


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_time_chunks(chunk: int) -> None:
    neuron = made(host=HOSTS["plif"], groups=4, detach=False)
    x, state = random_current(5, 2, 4, 5, 16, scale=1.5), some_state(2, 4, 5, 16)
    whole = everything(neuron, x, state, "auto")
    with use_time_chunks(chunk):
        parts = everything(neuron, x, state, "auto")
    for name, expected in whole.items():
        torch.testing.assert_close(parts[name], expected, rtol=1e-9, atol=1e-12)


def test_less_is_kept_than_by_the_plain_loop() -> None:
    neuron = made(torch.float32, host=HOSTS["if"], groups=4)
    x = random_current(12, 2, 8, 8, 16).float().requires_grad_()

    def kept(kernel: Any, chunk: int | None = None) -> float:
        seen: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with use_kernel(kernel), use_time_chunks(chunk), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            out: Any = neuron(x)
        del out
        return sum(seen.values()) / (4 * x.numel())

    # The input, the spikes, the membrane, and the convolution's output, which has twice the channels.
    assert kept("auto") == pytest.approx(5, rel=0.1)
    assert kept("reference") > 9
    assert kept("auto", 3) < 1.6


def test_threads_change_nothing() -> None:
    neuron = made(torch.float32, host=HOSTS["plif"], groups=4)
    x, state = random_current(4, 5, 4, 5, 16, scale=1.5).float(), some_state(5, 4, 5, 16)
    single = (state[0].float(), state[1].float())
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(everything(neuron, x, single, "auto"))
    finally:
        torch.set_num_threads(before)
    for name, expected in found[0].items():
        torch.testing.assert_close(found[1][name], expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(found[0]["spikes"], found[1]["spikes"])


def test_inputs_of_any_layout() -> None:
    neuron = made(host=HOSTS["if"], groups=4)
    x = random_current(4, 2, 16, 4, 5, scale=1.5).permute(0, 1, 3, 4, 2)
    assert not x.is_contiguous()
    assert torch.equal(neuron(x), neuron(x.contiguous()))
    constant = x[:1].expand(4, *x.shape[1:])
    assert torch.equal(neuron(constant), neuron(constant.contiguous()))


def test_second_gradients_are_refused() -> None:
    neuron = made(host=HOSTS["if"], groups=4)
    x = random_current(2, 1, 4, 4, 16).requires_grad_()
    (grad,) = torch.autograd.grad(neuron(x).sum(), x, create_graph=False)
    assert grad.isfinite().all()
    with pytest.raises(RuntimeError, match="first gradients only"):
        torch.autograd.grad(neuron(x).sum(), x, create_graph=True)


class OwnSurrogate(Rectangle):
    pass


@pytest.mark.parametrize(
    ("knobs", "shape"),
    [
        ({"groups": 4, "axes": 0}, (2, 4, 5, 16)),  # nothing to convolve over
        ({"groups": 4, "host": LMH}, (2, 4, 5, 16)),
        ({"groups": 4, "host": lambda n: IF(n, spike=SpikeFormat(1, 1, emit="value"))}, (2, 4, 5, 16)),
        ({"groups": 4, "host": lambda n: IF(n, surrogate=OwnSurrogate())}, (2, 4, 5, 16)),
        ({"groups": 4}, (2, 3, 5, 16)),  # few positions
        ({"channels": 12, "groups": 4}, (2, 4, 5, 12)),  # no whole vectors
        ({"channels": 48, "groups": 2}, (2, 4, 5, 48)),  # 24 channels of a group: one vector and a half, of float32
    ],
)
def test_where_the_definition_runs(knobs: dict[str, Any], shape: tuple[int, ...]) -> None:
    neuron = made(torch.float32, **{"host": HOSTS["if"], **knobs})
    x = random_current(3, *shape, scale=1.5).float()
    assert not runs_fast(neuron, x)
    looped, _ = SpikingNeuron.scan(neuron, x, neuron.initial_state(x[0]))
    assert torch.equal(neuron(x), looped)


def test_where_the_definition_runs_for_the_call() -> None:
    neuron = made(torch.float32, host=HOSTS["if"], groups=4)
    x = random_current(3, 2, 4, 5, 16).float()
    assert runs_fast(neuron, x)
    assert not runs_fast(neuron, x.bfloat16())
    assert not runs_fast(neuron, x.to("meta"))
    with use_kernel("reference"):
        assert not runs_fast(neuron, x)
    with torch.autocast("cpu"):
        assert not runs_fast(neuron, x)
    seen: list[Any] = []
    handle = neuron.circuits[0].register_forward_hook(lambda *_: seen.append(1))
    assert not runs_fast(neuron, x)
    neuron(x)
    assert len(seen) == 3
    handle.remove()
    assert runs_fast(neuron, x)


def test_a_norm_of_one_value_is_refused_here_too() -> None:
    neuron = STCPLIF(16, groups=16, axes=2, kernel=3)
    with pytest.raises(Exception, match="single value"):
        neuron(torch.ones(2, 3, 1, 1, 16))
    assert neuron(torch.ones(2, 3, 4, 4, 16)).shape == (2, 3, 4, 4, 16)
