"""STC's gradients against closed forms, built from dense matrices, and against finite differences."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from state_traces import Smooth, gradients_are_exact, random_current
from torch import Tensor

from snnctl.neurons import GLIF, IF, LIF, PLIF, STC, TCLIF, Sigmoid
from snnctl.neurons.base import Host
from snnctl.neurons.stc_circuit import EPS, Circuit

HEIGHT, WIDTH, CHANNELS, GROUPS = 2, 3, 4, 2
SHAPE = (1, HEIGHT, WIDTH, CHANNELS)
SOFT: dict[str, Any] = {"reset": "soft", "detach_reset": False}
HOSTS = ("if", "lif", "plif")


def leak_of(neuron: STC) -> float:
    """In float64: a learned one began as float32."""
    match neuron.host:
        case PLIF() as host:
            return 1.0 - host.w.detach().sigmoid().item()
        case LIF() as host:
            return 1.0 - 1.0 / host.tau
    return 1.0


def hosts(surrogate: Any) -> dict[str, Any]:
    return {
        "if": lambda n: IF(n, **SOFT, surrogate=surrogate),
        "lif": lambda n: LIF(n, **SOFT, tau=3.0, surrogate=surrogate),
        "plif": lambda n: PLIF(n, **SOFT, tau=4.0, surrogate=surrogate),
    }


def made(host: str = "if", seed: int = 0, surrogate: Any = "sigmoid", **knobs: Any) -> STC:
    torch.manual_seed(seed)
    given = {"groups": GROUPS, "kernel": 3, "axes": 2, **knobs}
    neuron = STC(CHANNELS, host=hosts(surrogate)[host], **given).double()
    with torch.no_grad():
        for circuit in neuron.circuits:
            circuit.shift.normal_(0.0, 0.3)
            if circuit.gain is not None:
                circuit.gain.normal_(1.0, 0.3)
    return neuron


def next_membrane(neuron: STC, u: Tensor, current: Tensor) -> Tensor:
    """U of the next step from that of this one, through the neuron's own halves."""
    host: Any = neuron.host
    _, state = neuron.fire((u, host.dynamics()), u.dtype)
    found: Tensor = neuron.charge(current, state)[0]
    return found


def jacobian(neuron: STC, u: Tensor, current: Tensor) -> Tensor:
    found: Any = torch.autograd.functional.jacobian(lambda u: next_membrane(neuron, u, current), u)
    return found.reshape(u.numel(), u.numel())


def dense(circuit: Circuit) -> Tensor:
    """The convolution as a matrix, tap by tap."""
    matrix = torch.zeros(*SHAPE[1:], *SHAPE[1:], dtype=torch.float64)
    block, reach = CHANNELS // circuit.groups, circuit.kernel // 2
    for row in range(HEIGHT):
        for column in range(WIDTH):
            for out in range(CHANNELS):
                for i in range(circuit.kernel):
                    for j in range(circuit.kernel):
                        y, x = row + i - reach, column + j - reach
                        if 0 <= y < HEIGHT and 0 <= x < WIDTH:
                            first = out // block * block
                            matrix[row, column, out, y, x, first : first + block] = circuit.weight[out, :, i, j]
    return matrix.detach().reshape(HEIGHT * WIDTH * CHANNELS, -1)


def level_and_jacobian(circuit: Circuit, s: Tensor) -> tuple[Tensor, Tensor]:
    """a = GN(GC(s)) and da/ds, by d a_i / d y_j = gain_i rstd (delta_ij - 1/n - hat_i hat_j / n) within a group."""
    weight = dense(circuit)
    y = weight @ s.flatten()
    channel = torch.arange(y.numel()) % CHANNELS
    shift = circuit.shift.detach()[channel]
    if circuit.gain is None:
        return y + shift, weight
    gain = circuit.gain.detach()[channel]
    group = channel // (CHANNELS // circuit.norm_groups)
    same = (group[:, None] == group[None, :]).double()
    count = same.sum(1)
    mean = same @ y / count
    rstd = (same @ y.square() / count - mean.square() + EPS).rsqrt()
    hat = (y - mean) * rstd
    through = torch.eye(len(y), dtype=torch.float64) - same / count[:, None] * (1 + hat[:, None] * hat[None, :])
    return hat * gain + shift, (gain * rstd)[:, None] * through @ weight


def closed_form(neuron: STC, u: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
    """diag(leak beta (1 - g)) + [diag(leak h sech^2 a) J_h + diag(gain i sech^2 b) J_v] diag(g), and its first part."""
    surrogate, leak = Sigmoid(), leak_of(neuron)
    smooth = isinstance(neuron.surrogate, Smooth)
    u, current = u.flatten(), current.flatten()
    g = surrogate.gradient(u - 1)
    s = surrogate.forward_smooth(u - 1) if smooth else (u >= 1).double()
    h, gain = u - s, 1.0 if leak == 1.0 else 1 - leak
    beta, total = torch.ones_like(u), torch.zeros(len(u), len(u), dtype=torch.float64)
    if neuron.temporal is not None:
        a, through = level_and_jacobian(neuron.temporal, s)
        beta = 1 + a.tanh()
        total = total + (leak * h * (1 - a.tanh().square()))[:, None] * through
    if neuron.spatial is not None:
        b, through = level_and_jacobian(neuron.spatial, s)
        total = total + (gain * current * (1 - b.tanh().square()))[:, None] * through
    diagonal = torch.diag(leak * beta * (1 - g))
    return diagonal + total * g[None, :], diagonal


def membrane_and_current(seed: int = 0) -> tuple[Tensor, Tensor]:
    return random_current(*SHAPE, seed=seed, scale=1.0) + 0.5, random_current(*SHAPE, seed=seed + 1, scale=1.0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    circuit=st.sampled_from(["both", "temporal", "spatial"]),
    norm=st.sampled_from(["group", "layer", "none"]),
    host=st.sampled_from(HOSTS),
    groups=st.sampled_from([1, 2, 4]),
)
def test_step_jacobian_is_the_closed_form(seed: int, circuit: Any, norm: Any, host: str, groups: int) -> None:
    neuron = made(host, seed, circuit=circuit, norm=norm, groups=groups, detach=False)
    u, current = membrane_and_current(seed)
    expected, _ = closed_form(neuron, u, current)
    largest = max(1.0, float(expected.abs().max()))  # a group with next to no spikes is divided by next to nothing
    torch.testing.assert_close(jacobian(neuron, u, current), expected, rtol=1e-10, atol=1e-10 * largest)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("circuit", ["both", "temporal", "spatial"])
def test_detached_it_is_exactly_diagonal(circuit: Any, host: str) -> None:
    neuron = made(host, circuit=circuit, detach=True)
    u, current = membrane_and_current()
    found = jacobian(neuron, u, current)
    assert torch.equal(found, torch.diag(found.diagonal()))
    torch.testing.assert_close(found, closed_form(neuron, u, current)[1], rtol=1e-10, atol=1e-12)


def test_not_detached_it_reaches_the_whole_group_and_no_other() -> None:
    neuron = made(detach=False)
    u, current = membrane_and_current()
    found = jacobian(neuron, u, current)
    group = torch.arange(found.shape[0]) % CHANNELS // (CHANNELS // GROUPS)
    same = group[:, None] == group[None, :]
    assert not found[~same].any()
    # The norm's mean and variance make it dense: also beyond the window of the kernel.
    assert (found[same] != 0).all()
    wide = jacobian(made(detach=False, norm_groups=1), u, current)
    assert (wide[~same] != 0).any()


@pytest.mark.parametrize("host", HOSTS)
def test_finite_differences_of_a_smooth_neuron(host: str) -> None:
    neuron = made(host, detach=False, surrogate=Smooth(alpha=4.0))
    u, current = membrane_and_current(3)
    expected, _ = closed_form(neuron, u, current)
    torch.testing.assert_close(jacobian(neuron, u, current), expected, rtol=1e-10, atol=1e-10)
    step = 1e-6
    for number in range(u.numel()):
        change = torch.zeros(u.numel(), dtype=torch.float64)
        change[number] = step
        up, down = (next_membrane(neuron, u + sign * change.view_as(u), current) for sign in (1, -1))
        column = ((up - down) / (2 * step)).flatten().detach()
        torch.testing.assert_close(column, expected[:, number], rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "host",
    [
        lambda n: IF(n, **SOFT, surrogate=Smooth()),
        lambda n: LIF(n, detach_reset=False, surrogate=Smooth()),
        lambda n: PLIF(n, share="channel", learn_threshold="layer", detach_reset=False, surrogate=Smooth()),
        lambda n: GLIF(n, surrogate=Smooth()),
        lambda n: TCLIF(n, learn_gamma=True, surrogate=Smooth()),
        lambda n: TCLIF(n, late_reset=True, surrogate=Smooth()),
    ],
)
def test_gradients_of_input_and_parameters_are_exact(host: Any) -> None:
    torch.manual_seed(0)
    assert gradients_are_exact(STC(4, host=host, groups=2, detach=False), steps=4)


def test_silent_layers_remember() -> None:
    """Nothing fires: beta = gamma = 1 and dU_T / dU_0 = prod (1 - g), next to 1 far from the threshold."""
    torch.manual_seed(0)
    neuron = STC(CHANNELS, host=hosts("sigmoid")["if"], groups=GROUPS, kernel=3, axes=2, detach=True).double()
    u = first = torch.full(SHAPE, -4.0, dtype=torch.float64, requires_grad=True)
    expected = torch.ones(SHAPE, dtype=torch.float64)
    current = torch.full(SHAPE, 0.01, dtype=torch.float64)
    for _ in range(19):
        expected = expected * (1 - Sigmoid().gradient(u.detach() - 1))
        u = next_membrane(neuron, u, current)
    (grad,) = torch.autograd.grad(u.sum(), first)
    torch.testing.assert_close(grad, expected, rtol=1e-12, atol=0)
    assert (grad > 0.999).all()
    assert u.mean().item() == pytest.approx(-4 + 19 * 0.01)


def test_learning_signal_of_the_circuits() -> None:
    """dU/da = h sech^2 a, dU/db = i sech^2 b: through the bias, the sum over positions."""
    neuron = made(detach=True)
    u, current = membrane_and_current(5)
    after = next_membrane(neuron, u, current)
    s = (u >= 1).double()
    for circuit, factor in ((neuron.temporal, u - s), (neuron.spatial, current)):
        assert circuit is not None
        (found,) = torch.autograd.grad(after.sum(), circuit.shift, retain_graph=True)
        a, _ = level_and_jacobian(circuit, s)
        expected = factor.flatten() * (1 - a.tanh().square())
        torch.testing.assert_close(found, expected.view(-1, CHANNELS).sum(0), rtol=1e-10, atol=1e-12)


def test_surrogate() -> None:
    surrogate = Sigmoid(alpha=4.0)
    x = torch.tensor([0.0, 0.4407, -0.4407], dtype=torch.float64)
    assert surrogate.gradient(x).tolist() == pytest.approx([1.0, 0.5, 0.5], abs=1e-4)
    assert surrogate.spike(x).tolist() == [1.0, 1.0, 0.0]
    width = 2 * math.log(3 + 2 * math.sqrt(2)) / 4
    assert surrogate.gradient(torch.tensor(width / 2)).item() == pytest.approx(0.5, abs=1e-6)
    # The same is the default of the published forms.
    host: Host = made().host
    assert isinstance(host.surrogate, Sigmoid)
    assert host.surrogate.alpha == 4.0
