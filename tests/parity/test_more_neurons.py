"""The same spikes and gradients as spikingjelly and snntorch for the neurons that they define by the same equation."""

import warnings
from typing import Any

import pytest
import torch
from test_peers import import_peer, run
from torch import Tensor, nn

from snnctl.neurons import CLIF, GLIF, KLIF, PSN, CubaLIF, MaskedPSN, ResonateFire, SpikingNeuron

NEURON = "spikingjelly.activation_based.neuron"
SURROGATE = "spikingjelly.activation_based.surrogate"


@pytest.fixture
def current() -> Tensor:
    return torch.randn(8, 16, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2


def peer_node(name: str, *args: Any, **knobs: Any) -> nn.Module:
    neuron = import_peer(NEURON)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node: nn.Module = getattr(neuron, name)(*args, **knobs).double()
    return node


def peer_surrogate(name: str, **knobs: Any) -> Any:
    return getattr(import_peer(SURROGATE), name)(**knobs)


def assert_same(ours: SpikingNeuron, theirs: nn.Module, x: Tensor, *, least: int = 20) -> None:
    """Equal spikes, and equal gradients of the input and of parameters of the same name."""
    spikes, grad = run(ours.double(), x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, expected_grad = run(theirs, x)
    assert spikes.sum() > least
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-10, atol=1e-12)
    others = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, others[name].grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("scale_reset", [True, False])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_klif(current: Tensor, decay_input: bool, reset: Any, scale_reset: bool, detach_reset: bool) -> None:
    knobs = {"tau": 3.7, "decay_input": decay_input, "scale_reset": scale_reset, "detach_reset": detach_reset}
    theirs: Any = peer_node(
        "KLIFNode", v_threshold=0.9, v_reset=0.0 if reset == "hard" else None, step_mode="m", **knobs
    )
    with torch.no_grad():
        theirs.k.fill_(1.3)
    ours = KLIF(5, v_threshold=0.9, reset=reset, **knobs).double()  # type: ignore[arg-type]
    with torch.no_grad():
        ours.k.fill_(1.3)
    assert_same(ours, theirs, current)


def test_klif_has_the_defaults_of_spikingjelly(current: Tensor) -> None:
    assert_same(KLIF(5), peer_node("KLIFNode", step_mode="m"), current)


@pytest.mark.parametrize("tau", [2.0, 3.7])
def test_clif(current: Tensor, tau: float) -> None:
    theirs = peer_node("ComplementaryLIFNode", tau=tau, v_threshold=0.9, step_mode="m")
    assert_same(CLIF(5, tau=tau, v_threshold=0.9), theirs, current)


def test_clif_has_the_defaults_of_spikingjelly(current: Tensor) -> None:
    assert_same(CLIF(5), peer_node("ComplementaryLIFNode", step_mode="m"), current)


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_cuba_lif_as_in_spikingjelly(current: Tensor, reset: Any) -> None:
    theirs: Any = peer_node(
        "CUBALIFNode", c_decay=0.75, v_decay=0.875, v_threshold=0.9, v_reset=0.0 if reset == "hard" else None
    )
    theirs.step_mode = "m"
    assert_same(CubaLIF(5, tau_syn=4.0, tau=8.0, v_threshold=0.9, reset=reset), theirs, current)


def test_cuba_lif_has_the_defaults_of_spikingjelly(current: Tensor) -> None:
    theirs: Any = peer_node("CUBALIFNode")
    theirs.step_mode = "m"
    assert_same(CubaLIF(5), theirs, current)


@pytest.mark.parametrize(("reset", "theirs"), [("hard", "zero"), ("soft", "subtract")])
def test_cuba_lif_as_in_snntorch(current: Tensor, reset: Any, theirs: str) -> None:
    # Without reset_delay, as in LIF; small currents keep the membrane below twice the threshold, above which
    # snntorch resets again a step later.
    current = current.sin() / 2
    peer = import_peer("snntorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        synaptic = peer.Synaptic(alpha=0.5, beta=0.75, reset_mechanism=theirs, reset_delay=False)
        i, v = torch.zeros_like(current[0]), torch.zeros_like(current[0])
        expected = []
        for x_t in current:
            spikes_t, i, v = synaptic(x_t, i, v)
            expected.append(spikes_t.detach())
            assert v.max() < 1
    spikes, (our_i, our_v) = CubaLIF(5, v_threshold=1.0, reset=reset)(current, return_state=True)
    assert spikes.sum() > 20
    assert torch.equal(spikes, torch.stack(expected).to(spikes.dtype))
    torch.testing.assert_close((our_i, our_v), (i.detach(), v.detach()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_resonate_fire(current: Tensor, reset: Any, detach_reset: bool) -> None:
    theirs = peer_node(
        "RAFNode",
        b=-1 / 8,
        omega=0.7,
        v_threshold=0.9,
        v_reset=0.0 if reset == "hard" else None,
        detach_reset=detach_reset,
        step_mode="m",
    )
    ours = ResonateFire(5, tau=8.0, omega=0.7, v_threshold=0.9, reset=reset, detach_reset=detach_reset)
    assert_same(ours, theirs, current)


def test_resonate_fire_has_the_defaults_of_spikingjelly(current: Tensor) -> None:
    assert_same(ResonateFire(5), peer_node("RAFNode", step_mode="m"), current)


def test_psn(current: Tensor) -> None:
    theirs = peer_node("PSN", 8)
    ours = PSN(5, steps=8).double()
    ours.load_state_dict(theirs.state_dict())
    assert_same(ours, theirs, current)


@pytest.mark.parametrize("order", [1, 3, 8])
def test_masked_psn(current: Tensor, order: int) -> None:
    theirs: Any = peer_node("MaskedPSN", order, 8, lambda_init=1.0, step_mode="m")
    ours = MaskedPSN(5, steps=8, order=order).double()
    ours.load_state_dict({"weight": theirs.weight, "bias": theirs.bias})
    assert_same(ours, theirs, current, least=5)


def test_masked_psn_step_by_step(current: Tensor) -> None:
    theirs: Any = peer_node("MaskedPSN", 3, 8, lambda_init=1.0, step_mode="s")
    ours = MaskedPSN(5, steps=8, order=3).double()
    ours.load_state_dict({"weight": theirs.weight, "bias": theirs.bias})
    state = None
    with torch.no_grad():
        for x_t in current:
            spikes, state = ours(x_t.unsqueeze(0), state, return_state=True)
            assert torch.equal(spikes[0], theirs(x_t))


def test_glif(current: Tensor) -> None:
    # Theirs: channels second, [T, N, C, H, W]; gates that start at random; one conductance per step.
    theirs: Any = peer_node("GatedLIFNode", 8, inplane=5, surrogate_function=peer_surrogate("Rect"))
    ours = GLIF(5, conduct_steps=8).double()
    names = {
        "alpha": "alpha",
        "beta": "beta",
        "gamma": "gamma",
        "tau": "decay",
        "linear_decay": "leak",
        "conduct": "conduct",
        "v_threshold": "v_threshold",
        "v_subreset": "v_subtract",
    }
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for theirs_name, ours_name in names.items():
            parameter = getattr(theirs, theirs_name)
            parameter += torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype) * 0.5
            getattr(ours, f"{ours_name}_logit").copy_(parameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, expected_grad = run(lambda x: theirs(x.view(8, 4, 4, 5, 1).transpose(2, 3)).transpose(2, 3), current)
    spikes, grad = run(lambda x: ours(x.view(8, 4, 4, 5)), current)
    assert spikes.sum() > 20
    assert torch.equal(spikes, expected.flatten(3))
    torch.testing.assert_close(grad, expected_grad, rtol=1e-10, atol=1e-12)
    for theirs_name, ours_name in names.items():
        found, wanted = getattr(ours, f"{ours_name}_logit").grad, getattr(theirs, theirs_name).grad
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def test_glif_starts_with_the_values_of_spikingjelly_for_four_steps() -> None:
    theirs: Any = peer_node("GatedLIFNode", 4, inplane=5)
    ours = GLIF(5, conduct_steps=4).double()
    for theirs_name, ours_name in (
        ("tau", "decay"),
        ("linear_decay", "leak"),
        ("conduct", "conduct"),
        ("v_threshold", "v_threshold"),
        ("v_subreset", "v_subtract"),
    ):
        assert torch.equal(getattr(ours, f"{ours_name}_logit"), getattr(theirs, theirs_name))
