"""What every network component owes, over the registries: shapes, gradients, statelessness, dtypes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.backbones.parts.interlaminar import Interlaminar
from snnctl.core.catalog import BACKBONES, ENCODERS, NEURONS, POSITIONS, READOUTS, SURROGATES
from snnctl.core.shapes import SignalSpec
from snnctl.neurons import SpikingNeuron, Surrogate
from snnctl.neurons.kernels import use_kernel

RAW = SignalSpec(steps=0, length=12, features=6, grid=(3, 4))
TOKENS = SignalSpec(steps=0, length=12, features=6, kind="tokens", ragged=True)
FRAMES = SignalSpec(steps=0, length=3, features=6, kind="spikes", frames=4, dt_ms=10.0)
ENCODED = SignalSpec(steps=4, length=12, features=6, kind="spikes")
IMAGES = ENCODED.replace(grid=(3, 4))
VIDEO = SignalSpec(steps=4, length=16, features=5, grid=(4, 4), ahead=3)

# Knobs without a default, or whose default is larger than a quick test needs.
KNOBS: dict[tuple[str, str], dict[str, Any]] = {
    ("encoder", "patch"): {"length": 4, "dim": 5},
    ("encoder", "embedding"): {"dim": 5},
    ("encoder", "rate"): {"low": -3.0, "high": 3.0, "steps": 4},
    ("encoder", "latency"): {"low": -3.0, "high": 3.0, "steps": 4},
    ("encoder", "phase"): {"low": -3.0, "high": 3.0, "steps": 4},
    ("encoder", "patch_split"): {"dim": 8, "stages": 2, "pools": [2], "norm_gain": 2.0},
    ("backbone", "spikformer"): {"dim": 16, "depth": 1, "heads": 4, "embed_norm": True, "norm_gain": 2.0},
    ("backbone", "ispikformer"): {"dim": 16, "depth": 1, "heads": 4, "norm_gain": 2.0},
    ("backbone", "spike_driven"): {"dim": 16, "depth": 1, "heads": 4, "norm_gain": 2.0},
    ("backbone", "qkformer"): {
        "dim": 16,
        "qk_depth": 1,
        "depth": 1,
        "heads": 4,
        "embed_norm": True,
        "norm_gain": 2.0,
        "attention_scale": None,
    },
    ("backbone", "qkformer_stages"): {
        "dim": 16,
        "depths": [1, 1],
        "heads": 4,
        "norm_gain": 2.0,
        "attention_scale": None,
    },
    ("backbone", "spike_rnn"): {"width": 16},
    ("backbone", "spike_mlp"): {"width": 16, "layers": 2, "dropout": 0.0},
    ("backbone", "spike_gru"): {"width": 16},
    ("backbone", "spike_tcn"): {"channels": 6, "levels": 2},
    ("backbone", "temporal_conv"): {"width": 16, "dilation": 1, "dropout": 0.0},
    ("backbone", "delay_mlp"): {"width": 16, "max_delay": 3.0, "dropout": 0.0},
    ("backbone", "spike_resnet"): {"depth": 20, "width": 0.25, "norm_gain": 2.0},
    ("backbone", "spike_vgg"): {"depth": 5, "width": 0.25, "norm_gain": 2.0},
    ("backbone", "video_stack"): {"patch": 2, "dim": 8, "layers": 2, "kernel": 3, "norm_groups": 2},
    ("backbone", "sim_vp"): {"dim": 4, "hidden": 8, "depth": 1, "kernel": 3},
    ("readout", "variate_linear"): {"targets": 5},
    ("neuron", "psn"): {"steps": 8},
    ("neuron", "masked_psn"): {"steps": 8},
    # 16 groups do not fit the few channels of a quick test.
    ("neuron", "stc"): {"groups": 1},
    ("neuron", "stc_lif"): {"groups": 1},
    ("neuron", "stc_plif"): {"groups": 1},
    ("neuron", "stc_lmh"): {"groups": 1},
}
VARIANTS: list[tuple[str, str, dict[str, Any]]] = [
    ("backbone", "spike_mlp", {"width": 16, "layers": 2, "dropout": 0.0, "recurrent": True, "norm": "layer"}),
    ("readout", "leaky", {"decoder": "last", "norm": "none"}),
    ("encoder", "conv", {"kernel": 4, "causal": True, "neuron": "if"}),
    ("encoder", "patch", {"length": 4, "dim": 5, "stride": 2}),
    ("encoder", "patch", {"length": 4, "dim": 5, "neuron": None}),
    ("encoder", "repeat", {"neuron": None}),
    ("encoder", "embedding", {"dim": 5, "steps": 3, "neuron": None, "norm_gain": None}),
    ("encoder", "patch_split", {"dim": 8, "stages": 2, "pools": [], "neuron": None}),
    ("encoder", "patch_split", {"dim": 6, "stages": 1, "pools": [1], "neuron": "plif", "norm_gain": 2.0}),
    ("encoder", "patch_split", {"dim": 8, "stages": 2, "pools": [1], "steps": 3, "ends_with": "current"}),
    ("encoder", "rate", {"low": -3.0, "high": 3.0, "spiking": False}),
    ("encoder", "latency", {"low": -3.0, "high": 3.0, "curve": "log", "silent": True}),
    ("encoder", "phase", {"low": 0.0, "high": 3.0, "steps": 1}),
    ("encoder", "delta", {"neuron": None}),
    ("encoder", "conv", {"neuron": None}),
    ("position", "cpg", {"neurons": 6, "combine": "add"}),
    ("position", "cpg", {"neurons": 9, "index": "L"}),
    ("position", "cpg", {"neurons": 30, "base": None, "threshold": None}),
    ("position", "random", {"values": "bits"}),
    ("position", "random", {"neurons": 6, "combine": "add", "index": "L"}),
    ("position", "conv", {"grid": [3, 4], "norm_gain": 2.0, "neuron": "if"}),
    ("position", "gray", {"combine": "concat", "bits": 5}),
    ("position", "gray", {"combine": "concat", "grid": [3, 4]}),
    ("backbone", "spikformer", {"dim": 16, "depth": 2, "heads": 2, "position": "cpg", "embed_norm": True}),
    ("backbone", "spikformer", {"dim": 16, "heads": 2, "hidden": 8, "position": "sinusoid", "neuron": "if"}),
    ("backbone", "ispikformer", {"dim": 16, "heads": 2, "position": "cpg", "code_variables": True, "norm_gain": 2.0}),
    (
        "backbone",
        "spikformer",
        {"dim": 16, "heads": 2, "embed_norm": True, "position": "gray", "attention_scale": None},
    ),
    (
        "backbone",
        "spikformer",
        {
            "dim": 16,
            "heads": 2,
            "embed_norm": True,
            "position": "log",
            "attention_map": "dot",
            "norm_gain": 2.0,
            "attention_scale": 0.5,
            "learn_attention_scale": True,
        },
    ),
    ("backbone", "spikformer", {"dim": 16, "heads": 2, "embed_norm": True, "spiking": False, "position": "conv"}),
    ("backbone", "spike_driven", {"dim": 16, "heads": 2, "position": "log", "norm_gain": 2.0}),
    ("backbone", "spike_driven", {"dim": 16, "heads": 2, "position": "cpg_linear", "spiking": False}),
    ("backbone", "qkformer", {"dim": 16, "qk_depth": 2, "depth": 0, "heads": 2, "embed_norm": True, "norm_gain": 2.0}),
    ("backbone", "qkformer", {"dim": 16, "heads": 2, "embed_norm": True, "spiking": False, "position": "gray"}),
    (
        "backbone",
        "qkformer_stages",
        {"dim": 16, "heads": 2, "first_pools": [2], "mlp_ratio": 1.0, "position": "cpg", "norm_gain": 3.0},
    ),
    ("backbone", "qkformer_stages", {"dim": 16, "heads": 4, "depths": [1, 2], "spiking": False, "position": "gray"}),
    ("backbone", "spike_rnn", {"width": 16, "form": "pooled", "position": "cpg"}),
    ("backbone", "spike_rnn", {"width": 16, "position": "sinusoid", "neuron": "plif"}),
    ("backbone", "spike_rnn", {"width": 16, "norm_gain": None, "spiking": False}),
    ("backbone", "spike_gru", {"width": 16, "form": "released", "position": "cpg"}),
    ("backbone", "spike_gru", {"width": 16, "layers": 2, "spiking": False}),
    ("backbone", "spike_tcn", {"channels": 6, "levels": 2, "variables": "mixed", "position": "cpg"}),
    ("backbone", "spike_tcn", {"channels": 6, "levels": 2, "between": "rates", "position": "cpg_linear"}),
    (
        "backbone",
        "temporal_conv",
        {"width": 16, "layers": 3, "kernel_delta": 2.0, "dilation": 1, "neuron": "if", "dropout": 0.0},
    ),
    ("backbone", "temporal_conv", {"spiking": False, "match_parameters": 900, "norm_gain": None}),
    ("backbone", "delay_mlp", {"width": 16, "max_delay": 0.0, "neuron": "plif", "dropout": 0.0}),
    ("backbone", "delay_mlp", {"width": 16, "max_delay": 9.0, "norm_gain": None, "spiking": False}),
    ("backbone", "spike_resnet", {"depth": 18, "width": 0.05, "stem": "large", "hidden": 16, "norm_gain": 3.0}),
    (
        "backbone",
        "spike_resnet",
        {"depth": 20, "width": 0.25, "residual": "membrane", "norm_gain": 2.0, "interlaminar": Interlaminar("current")},
    ),
    ("backbone", "spike_resnet", {"depth": 20, "width": 0.25, "spiking": False, "levels": 4}),
    (
        "backbone",
        "spike_vgg",
        {"depth": 5, "width": 0.25, "pool": "max", "norm_gain": 3.0, "interlaminar": Interlaminar()},
    ),
    (
        "backbone",
        "spike_vgg",
        {"depth": 9, "width": 0.1, "hidden": 16, "norm_gain": 4.0, "interlaminar": Interlaminar("spike", True)},
    ),
    ("backbone", "spike_vgg", {"depth": 5, "width": 0.25, "norm_gain": 3.0, "interlaminar": Interlaminar("membrane")}),
    ("backbone", "spike_vgg", {"depth": 11, "width": 0.05, "spiking": False, "hidden": 8}),
    ("backbone", "video_stack", {"patch": 1, "dim": 4, "layers": 1, "kernel": 1, "norm": "none", "neuron": "lm_h"}),
    ("backbone", "video_stack", {"patch": 4, "dim": 4, "layers": 2, "kernel": 3, "spiking": False}),
    ("readout", "variate_linear", {"targets": 5, "over_steps": "last"}),
]
LAYERS = [
    (registry.kind, name, KNOBS.get((registry.kind, name), {}))
    for registry in (ENCODERS, POSITIONS, BACKBONES, READOUTS)
    for name in registry.builtin
] + VARIANTS
REGISTRY = {r.kind: r for r in (ENCODERS, POSITIONS, BACKBONES, READOUTS)}


def raw(name: str) -> SignalSpec:
    return {"embedding": TOKENS, "none": FRAMES}.get(name, RAW)


def encoded(name: str) -> SignalSpec:
    if name in ("video_stack", "sim_vp", "frames"):
        return VIDEO
    return IMAGES if name in ("qkformer_stages", "spike_resnet", "spike_vgg") else ENCODED


def build(kind: str, name: str, knobs: dict[str, Any], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    component = REGISTRY[kind].get(name)
    module: nn.Module = (
        component(encoded(name), 5, **knobs)
        if kind == "readout"
        else component(raw(name) if kind == "encoder" else encoded(name), **knobs)
    )
    return module


def sample(kind: str, name: str, batch: int = 7, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if kind == "encoder" and raw(name) is TOKENS:
        return torch.randint(0, 6, TOKENS.shape(batch), generator=generator).to(device)
    if kind == "encoder" and raw(name) is FRAMES:
        x = torch.randint(0, 2, FRAMES.shape(batch), generator=generator)
    elif kind == "encoder":
        x = torch.randn(RAW.shape(batch), generator=generator) * 3
    else:
        x = torch.randint(0, 2, encoded(name).shape(batch), generator=generator)
    return x.to(device=device, dtype=dtype)


def expected_shape(kind: str, module: Any, batch: int) -> tuple[int, ...]:
    if kind == "readout" and getattr(module, "answers", "item") == "step":
        return (batch, ENCODED.steps, module.outputs)
    if kind == "readout" and getattr(module, "answers", "item") == "frames":
        return (batch, VIDEO.steps, VIDEO.length, module.outputs)
    return (batch, module.outputs) if kind == "readout" else module.output.shape(batch)


@pytest.mark.parametrize(("kind", "name", "knobs"), LAYERS)
class TestLayer:
    def test_shape_and_values_are_as_declared(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        module = build(kind, name, knobs)
        out = module(sample(kind, name, dtype=torch.float32))
        assert tuple(out.shape) == expected_shape(kind, module, 7)
        assert out.dtype == torch.float32
        assert out.isfinite().all()
        output: Any = getattr(module, "output", None)
        if output is not None and output.kind == "spikes":
            assert torch.equal(out, out.round())
            assert out.min() >= 0
            assert out.max() <= output.levels
            assert out.any()

    def test_every_parameter_learns(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        module = build(kind, name, knobs)
        out = module(sample(kind, name, dtype=torch.float32))
        if out.requires_grad:
            (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        for parameter_name, parameter in module.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.isfinite().all(), parameter_name

    def test_keeps_nothing_between_calls(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        module = build(kind, name, knobs).double().eval()
        x = sample(kind, name)
        first = module(x)
        module(1 - x if x.is_floating_point() else x.flip(0))
        assert torch.equal(module(x), first)

    def test_samples_do_not_see_each_other(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        module = build(kind, name, knobs).double()
        module(sample(kind, name, batch=32))  # running statistics of BatchNorm
        module.eval()
        x = sample(kind, name)
        axis = 0 if kind == "encoder" else 1
        alone = [module(x.narrow(axis, i, 1)) for i in range(7)]
        together = torch.cat(alone, dim=0 if kind == "readout" else 1)
        torch.testing.assert_close(module(x), together, rtol=0, atol=1e-9)

    def test_float64(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        assert build(kind, name, knobs).double()(sample(kind, name)).dtype == torch.float64

    def test_meta_device(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        with torch.device("meta"):
            module = build(kind, name, knobs)
            out = module(sample(kind, name, dtype=torch.float32, device="meta"))
        assert out.is_meta
        assert all(parameter.is_meta for parameter in module.parameters())
        assert tuple(out.shape) == expected_shape(kind, module, 7)

    def test_non_contiguous_input(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        module = build(kind, name, knobs).double().eval()
        x = sample(kind, name)
        strided = x.transpose(0, -1).contiguous().transpose(0, -1)
        assert not strided.is_contiguous()
        torch.testing.assert_close(module(strided), module(x), rtol=0, atol=1e-9)

    def test_checkpoint_round_trip(self, kind: str, name: str, knobs: dict[str, Any]) -> None:
        module = build(kind, name, knobs).double()
        module(sample(kind, name))
        fresh = build(kind, name, knobs, seed=1).double()
        fresh.load_state_dict(module.state_dict())
        assert torch.equal(fresh.eval()(sample(kind, name)), module.eval()(sample(kind, name)))


NEURON_VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, KNOBS.get(("neuron", name), {})) for name in NEURONS.builtin),
    ("lif", {"reset": "soft", "tau": 4.0, "decay_input": False, "surrogate": "triangle"}),
    ("if", {"reset": "soft", "detach_reset": False, "surrogate": "sigmoid"}),
    ("alif", {"tau": 2.0, "tau_adapt": 5.0, "v_threshold": 1.0, "beta": 0.5, "detach_reset": True}),
    ("glif", {"learn_gates": False, "conduct_steps": 8}),
    ("klif", {"reset": "soft", "scale_reset": True, "decay_input": False, "k": 1.5}),
    ("cuba_lif", {"reset": "soft", "tau_syn": 1.0, "surrogate": "atan"}),
    ("tc_lif", {"gamma": 0.0, "learn_gamma": True, "late_reset": True, "detach_reset": True, "surrogate": "sigmoid"}),
    ("lm_h", {"start": 0.5}),
    ("masked_psn", {"steps": 8, "order": 2}),
    ("resonate_fire", {"reset": "soft", "tau": 20.0, "omega": 0.5}),
    ("stc", {"groups": 1, "host": "glif", "circuit": "temporal", "norm": "layer"}),
    ("stc", {"groups": 3, "host": "tc_lif", "circuit": "spatial", "norm": "none", "detach": False}),
    ("stc", {"host": "lif", "circuit": "none"}),
]


def tensors_of(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def assert_same_state(state: Any, expected: Any) -> None:
    assert type(state) is type(expected)
    for tensor, other in zip(tensors_of(state), tensors_of(expected), strict=True):
        assert tensor.dtype == other.dtype
        assert torch.equal(tensor, other)


@pytest.mark.parametrize(("name", "knobs"), NEURON_VARIANTS)
class TestNeuron:
    @pytest.fixture
    def neuron(self, name: str, knobs: dict[str, Any]) -> SpikingNeuron:
        torch.manual_seed(0)
        neuron: SpikingNeuron = NEURONS.get(name)(3, **knobs)
        return neuron

    @staticmethod
    def current(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)

    def test_spikes_are_whole_numbers_up_to_levels(self, neuron: SpikingNeuron) -> None:
        spikes = neuron(self.current(8, 16, 3))
        assert spikes.shape == (8, 16, 3)
        assert torch.equal(spikes, spikes.round())
        assert 0 <= spikes.min() < spikes.max() <= neuron.levels

    def test_silent_without_current(self, neuron: SpikingNeuron) -> None:
        assert not neuron(torch.zeros(8, 2, 3)).any()

    def test_streaming_equals_the_whole(self, neuron: SpikingNeuron) -> None:
        x = self.current(8, 4, 3)
        if not neuron.streams:
            with pytest.raises(ValueError, match="cannot stream"):
                neuron(x, return_state=True)
            with pytest.raises(ValueError, match="cannot stream"):
                neuron(x, neuron.initial_state(x[0]))
            return
        whole, end = neuron(x, return_state=True)
        assert torch.equal(neuron(x), whole)
        for cut in (1, 3, 7):
            first, state = neuron(x[:cut], return_state=True)
            second, state = neuron(x[cut:], state, return_state=True)
            assert torch.equal(torch.cat((first, second)), whole)
            assert_same_state(state, end)

    def test_passing_a_state_leaves_it_as_it_was(self, neuron: SpikingNeuron) -> None:
        if not neuron.streams:
            return
        x = self.current(8, 4, 3)
        _, state = neuron(x[:3], return_state=True)
        kept = [tensor.clone() for tensor in tensors_of(state)]
        first = neuron(x[3:], state)
        for tensor, copy in zip(tensors_of(state), kept, strict=True):
            assert torch.equal(tensor, copy)
        assert torch.equal(neuron(x[3:], state), first)

    def test_scan_equals_the_step_loop(self, neuron: SpikingNeuron) -> None:
        x = self.current(8, 4, 5, 3)
        scanned, end = neuron.scan(x, neuron.initial_state(x[0]))
        if not neuron.streams:
            with pytest.raises(ValueError, match="no single step"):
                neuron.step(x[0], neuron.initial_state(x[0]))
            return
        with use_kernel("reference"):
            looped, loop_end = SpikingNeuron.scan(neuron, x, neuron.initial_state(x[0]))
        assert torch.equal(scanned, looped)
        for ours, theirs in zip(
            tensors_of(end), tensors_of(loop_end), strict=True
        ):  # `exp` may differ in the last place
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)

    def test_causal(self, neuron: SpikingNeuron) -> None:
        x = self.current(8, 4, 3)
        other = x.clone()
        other[5:] = -other[5:]
        assert torch.equal(neuron(x)[:5], neuron(other)[:5]) is neuron.causal

    def test_gradients(self, neuron: SpikingNeuron) -> None:
        x = self.current(8, 4, 3).requires_grad_()
        neuron(x).sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert x.grad.any()
        for parameter in neuron.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
    def test_spikes_keep_the_dtype(self, neuron: SpikingNeuron, dtype: torch.dtype) -> None:
        x = self.current(8, 2, 3, dtype=dtype)
        wide = torch.promote_types(dtype, torch.float32)
        assert neuron(x).dtype == dtype
        assert torch.equal(neuron(x).to(wide), neuron(x.to(wide)))
        if neuron.streams:
            _, state = neuron(x, return_state=True)
            assert {tensor.dtype for tensor in tensors_of(state) if tensor.is_floating_point()} == {wide}

    def test_float64_all_through(self, neuron: SpikingNeuron) -> None:
        x = self.current(8, 2, 3, dtype=torch.float64).requires_grad_()
        spikes = neuron.double()(x)
        assert spikes.dtype == torch.float64
        (grad,) = torch.autograd.grad(spikes.sum(), x)
        assert grad.dtype == torch.float64

    def test_inputs_of_any_layout(self, neuron: SpikingNeuron) -> None:
        x = self.current(3, 4, 8).permute(2, 1, 0)
        assert not x.is_contiguous()
        assert torch.equal(neuron(x), neuron(x.contiguous()))
        constant = self.current(1, 4, 3).expand(8, 4, 3)
        assert torch.equal(neuron(constant), neuron(constant.contiguous()))
        inner = self.current(8, 4, 1).expand(8, 4, 3)
        assert torch.equal(neuron(inner), neuron(inner.contiguous()))

    def test_meta_device(self, name: str, knobs: dict[str, Any]) -> None:
        with torch.device("meta"):
            spikes = NEURONS.get(name)(3, **knobs)(torch.empty(8, 2, 5, 3))
        assert (spikes.device.type, spikes.shape) == ("meta", (8, 2, 5, 3))

    def test_batch_of_one_and_one_step(self, neuron: SpikingNeuron, name: str, knobs: dict[str, Any]) -> None:
        x = self.current(8, 4, 3)
        assert torch.equal(neuron(x[:, 2:3]), neuron(x)[:, 2:3])
        if neuron.streams:
            assert torch.equal(neuron(x[:1]), neuron(x)[:1])
        else:
            assert NEURONS.get(name)(3, **{**knobs, "steps": 1})(x[:1]).shape == (1, 4, 3)

    def test_checkpoint_round_trip(self, neuron: SpikingNeuron, name: str, knobs: dict[str, Any]) -> None:
        with torch.no_grad():
            for parameter in neuron.parameters():
                parameter += 0.25
        fresh = NEURONS.get(name)(3, **knobs)
        fresh.load_state_dict(neuron.state_dict())
        x = self.current(8, 4, 3)
        assert torch.equal(fresh(x), neuron(x))


@pytest.mark.parametrize("name", list(SURROGATES.builtin))
class TestSurrogate:
    def test_step_forward_and_bump_backward(self, name: str) -> None:
        make: Callable[[], Surrogate] = SURROGATES.get(name)
        surrogate = make()
        x = torch.linspace(-4, 4, 801, dtype=torch.float64).requires_grad_()
        spikes = surrogate.spike(x)
        assert torch.equal(spikes, (x >= 0).double())
        (grad,) = torch.autograd.grad(spikes.sum(), x)
        assert grad.isfinite().all()
        assert (grad >= 0).all()
        assert grad[400] == grad.max()
        assert (surrogate.forward_smooth(x).diff() >= 0).all()

    def test_keeps_the_dtype(self, name: str) -> None:
        surrogate: Surrogate = SURROGATES.get(name)()
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            x = torch.linspace(-1, 1, 5, dtype=dtype)
            assert surrogate.spike(x).dtype == surrogate.gradient(x).dtype == dtype
