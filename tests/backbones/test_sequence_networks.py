"""What every network over sequences owes: positions that reach the data, any neuron, batches, a trainable twin."""

from typing import Any

import pytest
import torch
from sequence_networks import NEURONS, SIGNAL, cpg, make, position, rates, spikes, warmed

from snnctl.backbones import fold_norms
from snnctl.core.catalog import POSITIONS
from snnctl.core.shapes import ShapeError, SignalSpec
from snnctl.positions import CPGLinear

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("spike_rnn", {"width": 12}),
    ("spike_rnn", {"width": 12, "form": "pooled"}),
    ("spike_gru", {"width": 12}),
    ("spike_gru", {"width": 12, "layers": 2, "form": "released"}),
    ("spike_tcn", {"channels": 5, "levels": 2}),
    ("spike_tcn", {"channels": 5, "levels": 2, "between": "rates"}),
    ("spike_tcn", {"channels": 5, "levels": 2, "variables": "mixed"}),
]
EVERY_POSITION = [name for name in POSITIONS.builtin if name != "log"]


@pytest.mark.parametrize(("name", "knobs"), NETWORKS)
class TestSequenceNetwork:
    def test_every_layer_fires_from_the_start(self, name: str, knobs: dict[str, Any]) -> None:
        found = rates(make(name, **knobs), spikes(batch=16))
        assert len(found) > 2
        assert min(found.values()) > 0.02
        assert max(found.values()) < 0.7

    def test_a_sample_does_not_depend_on_its_batch(self, name: str, knobs: dict[str, Any]) -> None:
        network = warmed(name, position="cpg", **knobs)
        x = spikes(batch=5)
        alone = torch.cat([network(x[:, i : i + 1]) for i in range(5)], dim=1)
        torch.testing.assert_close(network(x), alone, rtol=0, atol=1e-9)
        assert torch.equal(network(x), network(x))

    def test_position_reaches_the_data(self, name: str, knobs: dict[str, Any]) -> None:
        # An encoding that only adds a bias to the output would cancel in f(a) - f(b).
        one, other = (warmed(name, position=cpg(base), **knobs) for base in (100.0, 5.0))
        other.load_state_dict(one.state_dict())
        a, b = spikes(1, 8), spikes(2, 8)
        assert one(a).any()
        assert not torch.equal(one(a) - one(b), other(a) - other(b))

    @pytest.mark.parametrize("placed", EVERY_POSITION)
    def test_takes_every_position(self, name: str, knobs: dict[str, Any], placed: str) -> None:
        network = make(name, position=position(placed), **knobs)
        out = network(spikes())
        assert out.shape == network.output.shape(3)
        out.sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    @pytest.mark.parametrize("placed", ["log", "gray"])
    def test_refuses_positions_that_need_an_attention_map(self, name: str, knobs: dict[str, Any], placed: str) -> None:
        with pytest.raises(ShapeError, match=f"which {name} does not have") as caught:
            make(name, position=placed, **knobs)
        assert caught.value.knob == "position"

    @pytest.mark.parametrize("neuron", NEURONS)
    def test_takes_any_neuron(self, name: str, knobs: dict[str, Any], neuron: str) -> None:
        network = make(name, neuron=NEURONS[neuron], position="cpg", **knobs)
        out = network(spikes())
        assert torch.equal(out, out.round())
        assert out.max() <= network.output.levels
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    def test_twin_has_the_same_parameters_and_all_learn(self, name: str, knobs: dict[str, Any]) -> None:
        shapes = [
            {
                key: value.shape
                for key, value in make(name, spiking=spiking, position="cpg", **knobs).state_dict().items()
            }
            for spiking in (True, False)
        ]
        assert shapes[0] == shapes[1]
        twin = make(name, spiking=False, position="cpg", **knobs)
        assert twin.output.kind == "real"
        assert rates(twin, spikes()) == {}
        out = twin(torch.randn(SIGNAL.shape(4), dtype=torch.float64))
        (out * torch.linspace(-1, 2, out.numel()).view_as(out)).sum().backward()  # not 0 in sum: biases see that
        for key, parameter in twin.named_parameters():
            assert parameter.grad is not None, key
            # A norm behind cancels these biases: what is left of their gradient is rounding, or nothing.
            assert parameter.grad.abs().sum() > 0 or key.endswith(("residual.bias", "conv.bias")), key

    @pytest.mark.parametrize("signal", [SignalSpec(1, 10, 6), SignalSpec(4, 1, 6), SignalSpec(1, 1, 1)])
    def test_one_step_one_position_one_variable(self, name: str, knobs: dict[str, Any], signal: SignalSpec) -> None:
        network = make(name, signal, **knobs).eval()
        assert network(spikes(batch=1, signal=signal)).shape == network.output.shape(1)

    def test_a_twin_is_bounded_over_a_long_window(self, name: str, knobs: dict[str, Any]) -> None:
        signal = SignalSpec(2, 168, 3)
        twin = make(name, signal, spiking=False, **knobs)
        out = twin(torch.randn(signal.shape(4), dtype=torch.float64))
        assert out.abs().max() < 50
        out[:, :, -1].sum().backward()
        assert all(p.grad is not None and p.grad.abs().max() < 1e4 for p in twin.parameters())

    def test_trains_under_bfloat16_autocast(self, name: str, knobs: dict[str, Any]) -> None:
        network = make(name, position="cpg", **knobs).float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = network(spikes().float())
        assert torch.equal(out, out.round())
        out.float().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("name", ["spike_rnn", "spike_gru"])
def test_code_with_weights_of_its_own_equals_the_wide_layer(name: str) -> None:
    wide = warmed(name, width=12, position=cpg(100.0))
    split = make(name, width=12, position=lambda s: CPGLinear(s, neurons=8, base=100.0)).eval()
    state = wide.state_dict()
    weight = state["embed.linear.weight"]
    state["embed.linear.weight"], state["embed.linear.code_weight"] = weight[:, :-8], weight[:, -8:]
    split.load_state_dict(state)
    torch.testing.assert_close(split(spikes()), wide(spikes()), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("name", "knobs"), NETWORKS)
def test_folding_the_norms_changes_nothing(name: str, knobs: dict[str, Any]) -> None:
    network = warmed(name, position="cpg_linear", **knobs)
    torch.testing.assert_close(fold_norms(network)(spikes()), network(spikes()), rtol=0, atol=1e-9)
