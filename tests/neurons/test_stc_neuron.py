"""STC: the host where the circuits say nothing, golden traces, parameters, refusals, hosts of every kind."""

import math
from typing import Any

import pytest
import torch
from state_traces import random_current, trace
from torch import Tensor, nn

from snnctl.backbones.parts.layers import SpikingConv, SpikingLinear
from snnctl.core.catalog import NEURONS
from snnctl.core.shapes import ShapeError
from snnctl.neurons import GLIF, IF, LIF, LMH, PLIF, STC, STCLIF, STCLMH, STCPLIF, TCLIF, SpikingNeuron
from snnctl.neurons.base import Host, neurons_in
from snnctl.neurons.spike_format import SpikeFormat
from snnctl.neurons.stc import HOSTS, watch_circuits
from snnctl.neurons.tau_lif import TauLIF


def hosts() -> dict[str, Any]:
    soft = {"reset": "soft", "detach_reset": False}
    return {
        "if": lambda n: IF(n, **soft),
        "if_started": lambda n: IF(n, start=0.5),
        "lif": lambda n: LIF(n, **soft, tau=3.0),
        "lif_hard": LIF,
        "lif_spread": lambda n: LIF(n, tau_spread=0.5, decay_input=False, learn_threshold="channel"),
        "plif": lambda n: PLIF(n, share="channel"),
        "glif": GLIF,
        "glif_steps": lambda n: GLIF(n, conduct_steps=9, learn_gates=False),
        "lm_h": lambda n: LMH(n, start=0.5),
        "tc_lif": TCLIF,
        "tc_lif_late": lambda n: TCLIF(n, late_reset=True, learn_gamma=True, detach_reset=True),
        "tau_lif": TauLIF,
        "multi_bit": lambda n: LIF(n, reset="soft", spike=SpikeFormat(2, 1)),
        "signed": lambda n: IF(n, reset="soft", spike=SpikeFormat(1, 1, quantizer="round", signed=True)),
        "valued": lambda n: IF(n, reset="soft", spike=SpikeFormat(1, 2, emit="value")),
    }


def silence(neuron: SpikingNeuron) -> None:
    with torch.no_grad():
        for circuit in (neuron.temporal, neuron.spatial):
            if isinstance(circuit, nn.Module):
                circuit.weight.zero_()


def held_apart(*shape: int) -> Tensor:
    return random_current(*shape, scale=1.5).float()


@pytest.mark.parametrize("axes", [0, 1, 2])
@pytest.mark.parametrize("circuit", ["both", "temporal", "spatial", "none"])
@pytest.mark.parametrize("name", list(hosts()))
def test_silent_circuits_leave_the_host_to_the_bit(name: str, circuit: Any, axes: Any) -> None:
    torch.manual_seed(0)
    host = hosts()[name](8)
    torch.manual_seed(0)
    neuron = STC(8, host=hosts()[name], circuit=circuit, groups=2, kernel=3, axes=axes)
    silence(neuron)
    x = held_apart(9, 2, 4, 3, 8)
    expected = host(x)
    assert torch.equal(neuron(x), expected)
    assert expected.any()
    grads = []
    for made in (host, neuron):
        leaf = x.clone().requires_grad_()
        (made(leaf) * torch.linspace(-1, 1, x.numel()).view_as(x)).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", list(hosts()))
def test_the_two_halves_under_factors_of_one_are_the_step(name: str) -> None:
    host = hosts()[name](5)
    x = held_apart(9, 3, 5)
    state = ones = host.initial_state(x[0])
    factor = torch.ones(3, 5)
    for x_t in x:
        spikes, state = host.step(x_t, state)
        other, ones = host.fire(host.charge(x_t, ones, factor, factor), x_t.dtype)
        assert torch.equal(spikes, other)


def test_every_host_is_named() -> None:
    given = {"psn": {"steps": 2}, "masked_psn": {"steps": 2}, "stc": {"groups": 1}}
    found = []
    for name in NEURONS.builtin:
        made = NEURONS.get(name)(4, **given.get(name, {"groups": 1} if name.startswith("stc_") else {}))
        if isinstance(made, Host):
            found.append(name)
            assert STC(4, host=name, groups=1)(held_apart(3, 2, 4)).shape == (3, 2, 4)
        else:
            with pytest.raises(ShapeError, match="cannot be the host") as error:
                STC(4, host=lambda n, made=made: made, groups=1)
            assert error.value.knob == "host"
            assert error.value.help == "hosts: glif, if, lif, lm_h, plif, tau_lif, tc_lif"
    assert sorted(found) == list(HOSTS)


def test_a_host_with_a_step_of_its_own_is_refused() -> None:
    class Other(LIF):
        def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            return super().step(2 * x_t, state)

    with pytest.raises(ShapeError, match="Other cannot be the host"):
        STC(4, host=Other, groups=1)


def fixed(neuron: STC, beta: float, gamma: float) -> STC:
    """Kernels of 0 and biases such that the factors are beta and gamma."""
    silence(neuron)
    with torch.no_grad():
        for circuit, factor in ((neuron.temporal, beta), (neuron.spatial, gamma)):
            if circuit is not None:
                circuit.shift.fill_(math.atanh(factor - 1))
    return neuron


def alone(neuron: type[STC] = STCLIF, **knobs: Any) -> STC:
    # One channel: a norm would be of one value, and a bias is all that these circuits have.
    return neuron(1, groups=1, norm="none", **knobs).double()


def membranes(neuron: STC, current: list[float]) -> tuple[list[float], list[float]]:
    found: list[float] = []
    with watch_circuits(lambda *seen: found.append(seen[3].item())):
        spikes, _ = trace(neuron, current)
    return found, spikes


def test_golden_if() -> None:
    # .5 x .75 = .375; 1.5 x .375 + .375 = .9375; 1.5 x .9375 + .375 = 1.78125 fires; 1.5 x .78125 + .375 ...
    u, spikes = membranes(fixed(alone(), 1.5, 0.5), [0.75] * 8)
    assert u == pytest.approx([0.375, 0.9375, 1.78125, 1.546875, 1.195313, 0.667969, 1.376953, 0.940430], abs=1e-6)
    assert spikes == [0, 0, 1, 1, 1, 0, 1, 0]


def test_golden_if_without_modulation() -> None:
    u, spikes = membranes(fixed(alone(), 1.0, 1.0), [0.75] * 8)
    assert u == [0.75, 1.5, 1.25, 1.0, 0.75, 1.5, 1.25, 1.0]
    assert spikes == [0, 1, 1, 1, 0, 1, 1, 1]


def test_golden_plif() -> None:
    # rate 1/2: u = .75 h + .25 x; for x = 2: .5, .875, 1.15625 fires, .617188 = .75 x .15625 + .5
    u, spikes = membranes(fixed(alone(STCPLIF), 1.5, 0.5), [2.0] * 4)
    assert u == pytest.approx([0.5, 0.875, 1.15625, 0.6171875], abs=1e-7)
    assert spikes == [0, 0, 1, 0]


def test_golden_lm_h_modulates_the_soma_alone() -> None:
    # p = (.4, -.3, .2, -.1): d = .0986877 d - .0744425 h + gamma x, u = 1.0498340 d + .9750208 beta h, by hand with
    # gamma x = .375: d = .375, u = .3936877; d = .375 + .0370079 - .0293071 = .3827008,
    # u = .4017723 + .9750208 x 1.5 x .3936877 = .9775528. The dendrite takes h without beta.
    neuron = fixed(alone(STCLMH), 1.5, 0.5)
    assert isinstance(neuron.host, LMH)
    with torch.no_grad():
        for factor, value in zip(
            (neuron.host.p1, neuron.host.p2, neuron.host.p3, neuron.host.p4), (0.4, -0.3, 0.2, -0.1), strict=True
        ):
            factor.fill_(value)
    u, _ = membranes(neuron, [0.75] * 2)
    assert u == pytest.approx([0.3936877, 0.9775528], abs=1e-6)


def test_lm_h_dendrite_is_free_of_the_temporal_circuit() -> None:
    host = LMH(3).double()
    with torch.no_grad():
        for p in host.parameters():
            p.fill_(0.7)
    state = (random_current(2, 3), random_current(2, 3, seed=1))
    x = random_current(2, 3, seed=2)
    beta, gamma = torch.full((2, 3), 1.7).double(), torch.full((2, 3), 0.4).double()
    (u, d), (plain, d_plain) = host.charge(x, state, beta, gamma), host.charge(x, state, None, gamma)
    assert torch.equal(d, d_plain)
    assert not torch.equal(u, plain)
    assert not torch.equal(host.charge(x, state)[1], d)


@pytest.mark.parametrize("name", ["tc_lif", "tc_lif_late"])
def test_tc_lif_modulates_soma_and_dendrites_input(name: str) -> None:
    host = hosts()[name](1).double()
    state = tuple(torch.tensor([[v]]).double() for v in (0.5, 0.25, 1.0)[: 3 if "late" in name else 2])
    u, d = host.charge(torch.tensor([[2.0]]).double(), state, torch.tensor(1.5), torch.tensor(0.25))
    # d = .5 - .25 / 2 + .25 x 2 = .875, late: - .5 = .375; u = 1.5 h + d / 2, late: h = .25 - 1
    late = "late" in name
    assert d.item() == pytest.approx(0.375 if late else 0.875)
    assert u.item() == pytest.approx(1.5 * -0.75 + 0.1875 if late else 1.5 * 0.25 + 0.4375)


def test_glif_modulates_membrane_and_reset_but_not_the_linear_leak() -> None:
    host = GLIF(1).double()
    a, b, g, decay, leak, c, v = 0.55, 0.65, 0.55, 0.25, 0.0625, 0.5, 0.5
    state = (torch.tensor([[0.8]]).double(), torch.tensor([[1.0]]).double())
    u = host.charge(torch.tensor([[2.0]]).double(), state, torch.tensor(1.5), torch.tensor(0.25))[0]
    past = (1 - a * (1 - decay)) * 0.8 * (1 - g) - (1 - g) * v
    assert u.item() == pytest.approx(1.5 * past - (1 - a) * leak + (1 - b * (1 - c)) * 0.25 * 2.0, rel=1e-6)


def test_factors_by_the_plain_formula() -> None:
    torch.manual_seed(0)
    neuron = STCLIF(8, groups=4, kernel=3, norm_groups=2, axes=2).double()
    with torch.no_grad():
        for p in neuron.parameters():
            p.copy_(torch.randn_like(p))
    s = (torch.rand(3, 5, 4, 8) < 0.3).double()
    for circuit, factor in zip((neuron.temporal, neuron.spatial), neuron.modulation(s), strict=True):
        assert circuit is not None
        assert circuit.gain is not None
        padded = torch.zeros(3, 7, 6, 8).double()
        padded[:, 1:-1, 1:-1] = s
        y = torch.zeros_like(s)
        for out in range(8):
            first = out // 2 * 2
            for i in range(3):
                for j in range(3):
                    part = padded[:, i : i + 5, j : j + 4, first : first + 2]
                    y[..., out] += part @ circuit.weight[out, :, i, j]
        for n in range(3):
            for first in (0, 4):
                block = y[n, :, :, first : first + 4]
                y[n, :, :, first : first + 4] = (block - block.mean()) / (block.var(unbiased=False) + 1e-5).sqrt()
        expected = 1 + torch.tanh(y * circuit.gain + circuit.shift)
        torch.testing.assert_close(factor, expected, rtol=1e-10, atol=1e-12)


def test_factors_start_at_one_and_stay_in_their_range() -> None:
    torch.manual_seed(0)
    neuron = STCLIF(16, kernel=3, axes=2)
    seen: list[tuple[Tensor, Tensor]] = []
    x = held_apart(6, 2, 4, 4, 16)
    with watch_circuits(lambda _neuron, beta, gamma, _u: seen.append((beta, gamma))):
        neuron(x)
    assert len(seen) == 6
    for factor in seen[0]:
        assert torch.equal(factor, torch.ones_like(factor))
    later = torch.stack([factor for pair in seen[1:] for factor in pair])
    assert 0 < later.min() < 0.5
    assert 1.5 < later.max() < 2


def test_silent_layers_have_factors_of_one() -> None:
    neuron = STCLIF(16, kernel=3, axes=2)
    seen: list[Tensor] = []
    with watch_circuits(lambda _neuron, beta, gamma, _u: seen.extend((beta, gamma))):
        neuron(torch.zeros(4, 2, 4, 4, 16))
    assert all(torch.equal(factor, torch.ones_like(factor)) for factor in seen)


def numbers(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameters() -> None:
    assert numbers(STCLIF(256, axes=2)) == 205_824
    assert numbers(STCLIF(256, axes=2, circuit="none")) == 0
    assert numbers(STC(64, host="plif", circuit="none")) == numbers(PLIF(64)) == 1
    assert numbers(STCPLIF(256, axes=2)) == 205_824 + 1
    assert numbers(STCLMH(256, axes=2)) == 205_824 + 4
    assert numbers(STCLIF(64, axes=0)) == 2 * 64 * 4 + 4 * 64
    assert numbers(STCLIF(64, axes=1, norm="none")) == 2 * 64 * 4 * 5 + 2 * 64
    temporal = dict(STCLIF(16, circuit="temporal", kernel=3, axes=2).named_parameters())
    assert set(temporal) == {"temporal.weight", "temporal.gain", "temporal.shift"}
    assert all(name.startswith("spatial.") for name, _ in STCLIF(16, circuit="spatial", axes=2).named_parameters())


@pytest.mark.parametrize(
    ("groups", "total"),
    [
        (1, 13_138_432),
        (2, 8_223_232),
        (4, 5_765_632),
        (8, 4_536_832),
        (16, 3_922_432),
        (32, 3_615_232),
        (64, 3_461_632),
        (128, 3_384_832),
        (256, 3_346_432),
    ],
)
def test_totals_of_the_sweep_over_groups(groups: int, total: int) -> None:
    # 3 layers of 256 channels, 5 x 5: 3,304,960 without circuits; the norms keep 16 groups
    with torch.device("meta"):
        assert 3_304_960 + 3 * numbers(STCLIF(256, groups=groups, norm_groups=16, axes=2)) == total


def test_initial_kernels_are_uniform_by_fan_in() -> None:
    torch.manual_seed(0)
    circuit = STCLIF(64, axes=2).temporal
    assert circuit is not None
    bound = (4 * 25) ** -0.5
    assert 0.99 * bound < circuit.weight.abs().max() <= bound
    assert circuit.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.03)


@pytest.mark.parametrize(("channels", "groups", "fitting"), [(24, 16, 12), (3, 16, 1), (40, 16, 10), (7, 2, 1)])
def test_groups_that_do_not_divide_are_refused(channels: int, groups: int, fitting: int) -> None:
    for knob, given in (("groups", {"groups": groups}), ("norm_groups", {"groups": 1, "norm_groups": groups})):
        with pytest.raises(ShapeError, match=f"does not divide {channels} channels") as error:
            STCLIF(channels, **given)
        assert (error.value.knob, error.value.help) == (knob, f"set `{knob}: {fitting}`")
        assert STCLIF(channels, **{**given, knob: fitting})(torch.ones(2, 1, channels)).shape == (2, 1, channels)


def test_a_norm_of_one_value_is_refused() -> None:
    with pytest.raises(ShapeError, match="single value") as error:
        STCLIF(16, groups=16, axes=0)
    assert error.value.knob == "norm"
    with pytest.raises(ShapeError, match="single value") as error:
        STCLIF(16, groups=4, norm_groups=16, axes=0)
    assert error.value.knob == "norm_groups"
    deep = STCLIF(16, groups=16, axes=2, kernel=3)
    assert deep(torch.ones(2, 1, 2, 1, 16)).shape == (2, 1, 2, 1, 16)
    for batch in (1, 2):
        with pytest.raises(ShapeError, match="single value"):
            deep(torch.ones(2, batch, 1, 1, 16))
        with pytest.raises(ShapeError, match="single value"):
            STCLIF(16)(torch.ones(2, batch, 16))
    with pytest.raises(ShapeError, match="single value"):  # a layer knows at once; an image may yet have positions
        SpikingLinear(3, 16, STCLIF)
    assert SpikingConv(3, 16, STCLIF).neuron.temporal.weight.shape == (16, 1, 5, 5)
    assert STCLIF(16, groups=16, norm="none")(torch.ones(2, 1, 16)).shape == (2, 1, 16)
    assert STCLIF(16, groups=16, norm="layer")(torch.ones(2, 1, 16)).shape == (2, 1, 16)


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="`kernel` must be odd"):
        STCLIF(16, kernel=4)
    with pytest.raises(ValueError, match="`norm_groups` is for"):
        STCLIF(16, norm="layer", norm_groups=4)
    with pytest.raises(ValueError, match="unknown norm `batch`"):
        STCLIF(16, norm="batch")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown circuit `spatio`"):
        STC(16, circuit="spatio")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="spans 2 axes") as error:
        STCLIF(16, axes=2)(torch.ones(2, 3, 5, 16))
    assert (error.value.knob, error.value.help) == ("axes", "set `axes: 1`")
    # Without circuits nothing has to be divided.
    assert STC(7, circuit="none")(torch.ones(2, 1, 7)).shape == (2, 1, 7)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_fully_connected_is_the_convolution_of_one_pixel(groups: int) -> None:
    torch.manual_seed(0)
    flat, image = (STCLIF(16, groups=groups, axes=axes, kernel=1).double() for axes in (0, 2))
    with torch.no_grad():
        for p in flat.parameters():
            p.copy_(torch.randn_like(p))
    image.load_state_dict({k: v.view(*v.shape, 1, 1) if "weight" in k else v for k, v in flat.state_dict().items()})
    x = random_current(7, 3, 16)
    seen: list[Tensor] = []
    with watch_circuits(lambda _neuron, beta, gamma, _u: seen.extend((beta, gamma))):
        spikes = flat(x)
    assert torch.equal(spikes, image(x.view(7, 3, 1, 1, 16)).flatten(2))
    for t in range(6):
        fired = spikes[t].any(dim=-1)
        assert all((factor[fired] != 1).all() for factor in seen[2 * t + 2 : 2 * t + 4])
    assert spikes[:6].any(dim=-1).sum() > 12


def test_one_axis_is_a_convolution_over_the_sequence() -> None:
    torch.manual_seed(0)
    circuit = STCLIF(8, groups=2, axes=1, kernel=3).double().temporal
    assert circuit is not None
    s = (torch.rand(2, 6, 8) < 0.4).double()
    y = torch.nn.functional.conv1d(s.mT, circuit.weight, padding=1, groups=2)
    expected = torch.nn.functional.group_norm(y, 2).tanh().mT + 1
    torch.testing.assert_close(circuit(s), expected, rtol=1e-12, atol=1e-13)


def test_positions_of_the_fully_connected_form_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    neuron = STCLIF(16, groups=4)
    x = held_apart(5, 2, 3, 16)
    assert torch.equal(neuron(x)[:, :, 1], neuron(x[:, :, 1]))


def test_a_layer_of_images_makes_kernels_over_space() -> None:
    torch.manual_seed(0)
    layer = SpikingConv(3, 16, lambda n: STCLIF(n, groups=4, kernel=3), norm_gain=2.0)
    assert layer.neuron.temporal.weight.shape == (16, 4, 3, 3)
    x = torch.rand(4, 2, 3, 5, 6)
    spikes = layer(x)
    assert spikes.shape == (4, 2, 16, 5, 6)
    assert spikes.permute(0, 1, 3, 4, 2).is_contiguous()
    flat = SpikingConv(3, 16, lambda n: STCLIF(n, groups=4, axes=0))
    assert flat.neuron.temporal.weight.shape == (16, 4)
    assert SpikingLinear(3, 16, lambda n: STCLIF(n, groups=4)).neuron.temporal.weight.shape == (16, 4)
    assert not hasattr(SpikingConv(3, 16, LIF).neuron, "temporal")


def test_the_state_is_the_hosts_and_the_last_spikes() -> None:
    for neuron, parts in ((STCLIF(16, groups=4), 2), (STCLMH(16, groups=4), 3), (STC(16, circuit="none"), None)):
        x = held_apart(5, 2, 16).bfloat16()
        spikes, state = neuron(x, return_state=True)
        if parts is None:
            assert isinstance(state, Tensor)
            continue
        assert len(state) == parts
        assert all(part.dtype == torch.float32 for part in state)
        assert torch.equal(state[-1], spikes[-1].float())


def test_detached_circuits_learn_all_the_same() -> None:
    torch.manual_seed(0)
    neuron = STCLIF(16, groups=4, kernel=3, axes=2, detach=True)
    x = held_apart(5, 2, 4, 4, 16)
    (neuron(x) * torch.linspace(-1, 1, x.numel()).view_as(x)).sum().backward()
    for name, p in neuron.named_parameters():
        assert p.grad is not None, name
        assert p.grad.any(), name


def test_what_is_asked_of_the_neuron_is_the_hosts() -> None:
    neuron = STC(8, host=lambda n: PLIF(n, tau=4.0, spike=SpikeFormat(1, 1, emit="value")), groups=2)
    assert (neuron.levels, neuron.scale, neuron.signed, neuron.leaks) == (3, 0.5, False, True)
    taus = neuron.time_constants()
    assert taus is not None
    assert taus.item() == pytest.approx(-1 / math.log(0.75))
    neuron.set_leak(torch.tensor(0.5))
    leaks = [made.leak_per_step() for made in (neuron, neuron.host)]
    assert [leak.item() for leak in leaks if leak is not None] == [0.5, 0.5]
    assert STCLIF(16).leaks is False
    assert STCLIF(16).leak_per_step() is None
    assert STC(8, host=TauLIF, groups=2).leak_bounds == TauLIF(8).leak_bounds
    assert STC(8, host=lambda n: GLIF(n, conduct_steps=3), groups=2).fixed_steps == 3
    assert STC(16, circuit="none").atomic
    assert not STCLIF(16).atomic


def test_a_host_is_a_part_of_its_neuron() -> None:
    network = nn.Sequential(LIF(4), STC(4, host="lif", groups=1))
    assert list(neurons_in(network)) == ["0", "1"]
    assert list(neurons_in(network[1])) == [""]


def test_circuits_see_the_spikes_of_several_levels() -> None:
    torch.manual_seed(0)
    neuron = STC(8, host=lambda n: IF(n, reset="soft", spike=SpikeFormat(2, 0)), groups=2, norm="none")
    x = held_apart(6, 3, 8) * 3
    seen: list[Tensor] = []
    with watch_circuits(lambda _neuron, beta, _gamma, _u: seen.append(beta)):
        spikes = neuron(x)
    assert spikes.max() == 3
    assert neuron.temporal is not None
    assert torch.equal(seen[4], neuron.temporal(spikes[3]))


def test_a_hierarchy_sets_the_hosts_time_constant_once() -> None:
    from snnctl.backbones.parts.hierarchy import Hierarchy, Within, impose
    from snnctl.core.shapes import SignalSpec

    def stages(make: Any) -> list[nn.Module]:
        return [SpikingLinear(4, 8, make), SpikingLinear(8, 8, make)]

    spread = Hierarchy(within=Within(type="uniform", spread=0.2))
    signal = SignalSpec(steps=4, length=1, features=4)
    plain, around = stages(LIF), stages(lambda n: STC(n, host="lif", groups=2))
    assert impose(spread, around, signal) == impose(spread, plain, signal)
    for one, other in zip(around, plain, strict=True):
        assert isinstance(one, SpikingLinear)
        assert isinstance(other, SpikingLinear)
        found, expected = one.neuron.leak_per_step(), other.neuron.leak_per_step()
        assert found is not None
        assert expected is not None
        assert torch.equal(found, expected)
        assert found.unique().numel() == 8
