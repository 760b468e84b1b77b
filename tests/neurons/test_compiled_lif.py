"""The kernels made from the step of LIF and its kin against the definition: the same spikes bit for bit, the same
gradients to rounding; and when the definition runs instead."""

import itertools
import logging
import platform
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnctl.neurons import IF, LIF, PLIF, ATan, FastSigmoid, Rectangle, Sigmoid, Surrogate, TokenNorm, Triangle
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import (
    Dynamics,
    compiled,
    jit,
    lif_scan,
    norm_cpu,
    packed,
    reference,
    run,
    use_kernel,
    why_not_fused,
)

SURROGATES = [ATan(), Sigmoid(), FastSigmoid(), Rectangle(), Triangle(width=1.7)]
SHAPES = [(5, 3, 7), (1, 4, 16), (6, 1, 33), (4, 2, 5, 24), (3, 70, 64)]
TOLERANCE = {torch.float32: (1e-5, 1e-5), torch.float64: (1e-9, 1e-11), torch.bfloat16: (2e-2, 1e-2)}


class Stated(SpikingNeuron):
    """The step equation with any parameters; tensors among them as buffers."""

    def __init__(self, dynamics: Dynamics, channels: int) -> None:
        super().__init__(channels)
        self.dynamics = dynamics._replace(leak=1.0, gain=1.0, v_threshold=1.0)
        for name in ("leak", "gain", "v_threshold"):
            value = getattr(dynamics, name)
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        own: Any = {name: getattr(self, name) for name in ("leak", "gain", "v_threshold")}
        return reference.lif_step(x_t, state, self.dynamics._replace(**own))


def compiled_scan(x: Tensor, v: Tensor | None, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    found = compiled.scan(Stated(dynamics, x.shape[-1]), x, v, return_state=True)
    assert found is not None, compiled.program_for(Stated(dynamics, x.shape[-1]), x, None)
    return found


def ramp(like: Tensor) -> Tensor:
    return torch.linspace(-1, 1, max(like.numel(), 1), dtype=like.dtype)[: like.numel()].view_as(like)


def results(scan: Any, x: Tensor, v: Tensor | None, dynamics: Dynamics) -> list[Tensor]:
    """Spikes, last membrane, and the gradients of input, membrane and tensor parameters."""
    x = x.detach().requires_grad_()
    leaves = [x]
    if v is not None:
        v = v.detach().requires_grad_()
        leaves.append(v)
    own = {}
    for name in ("leak", "gain", "v_threshold"):
        value = getattr(dynamics, name)
        if isinstance(value, Tensor) and (name == "v_threshold" or dynamics.tau is None):
            own[name] = value.detach().requires_grad_()
            leaves.append(own[name])
    spikes, last = scan(x, v, dynamics._replace(**own))
    grads = torch.autograd.grad((spikes * ramp(spikes)).sum() + (last * ramp(last)).sum(), leaves)
    return [spikes.detach(), last.detach(), *grads]


def check(x: Tensor, v: Tensor | None, dynamics: Dynamics) -> None:
    ours = results(compiled_scan, x, v, dynamics)
    theirs = results(reference.lif_scan, x, v, dynamics)
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])
    rtol, atol = TOLERANCE[x.dtype]
    for a, b in zip(ours[2:], theirs[2:], strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol * (1 + float(b.abs().max()) if b.numel() else 1))


def drawn(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    wide = torch.promote_types(dtype, torch.float32)
    x = (torch.randn(shape, generator=generator) * 2).to(dtype)
    return x, (torch.randn(shape[1:], generator=generator) * 0.3).to(wide)


class Smooth(Surrogate):
    """A surrogate whose step is its own primitive."""

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate

    def forward_smooth(self, x: Tensor) -> Tensor:
        return self.surrogate.forward_smooth(x)

    def gradient(self, x: Tensor) -> Tensor:
        return self.surrogate.gradient(x)

    def spike(self, x: Tensor) -> Tensor:
        return self.forward_smooth(x)


CHARGES = [{"tau": 2.0}, {"tau": 3.7}, {"leak": 0.9, "gain": 1.0}, {"leak": 1.0, "gain": 0.7}]


@pytest.mark.slow
@pytest.mark.parametrize("surrogate", SURROGATES, ids=repr)
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("detach_reset", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_setting(surrogate: Surrogate, reset: Any, detach_reset: bool) -> None:
    for number, (charge, levels, shape) in enumerate(itertools.product(CHARGES, (1, 3), SHAPES)):
        x, v = drawn(shape, torch.float64 if number % 2 else torch.float32, number)
        dynamics = Dynamics(surrogate, reset=reset, detach_reset=detach_reset, levels=levels, v_threshold=0.8, **charge)
        check(x, v if number % 3 else None, dynamics)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 12),
    st.lists(st.integers(1, 40), min_size=2, max_size=3),
    st.floats(1.05, 50.0),
    st.floats(0.2, 2.0),
    st.sampled_from(["hard", "soft"]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_random_shapes_and_parameters(
    steps: int, shape: list[int], tau: float, threshold: float, reset: Any, detach: bool, seed: int
) -> None:
    x, v = drawn((steps, *shape), torch.float64, seed)
    check(x, v, Dynamics(ATan(), tau=tau, v_threshold=threshold, reset=reset, detach_reset=detach))


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("shape", [(5, 3, 7), (4, 2, 3, 40), (3, 9, 1), (2, 3, 2100), (6, 300, 16)])
def test_parameters_per_channel_and_their_gradients(shape: Any, reset: Any, detach_reset: bool) -> None:
    x, v = drawn(shape, torch.float64)
    generator = torch.Generator().manual_seed(1)
    channels = shape[-1]
    leak, gain, threshold = torch.rand(3, channels, generator=generator, dtype=torch.float64) * 0.5 + 0.4
    for own in (
        {"leak": leak, "gain": gain, "v_threshold": threshold},
        {"leak": leak, "gain": 1.0},
        {"leak": torch.tensor(0.8, dtype=torch.float64), "gain": torch.tensor(0.3, dtype=torch.float64)},
        {"tau": 3.0, "v_threshold": threshold},
        {"tau": 3.0, "leak": leak, "v_threshold": 0.9},  # tau wins
    ):
        check(x, v, Dynamics(Sigmoid(), reset=reset, detach_reset=detach_reset, **own))
    check(x, None, Dynamics(Triangle(), reset=reset, levels=2, v_threshold=threshold, leak=leak))


@pytest.mark.parametrize("surrogate", [ATan(), Rectangle()], ids=repr)
@pytest.mark.parametrize("detach_reset", [True, False])
def test_delayed_reset(surrogate: Surrogate, detach_reset: bool) -> None:
    how: Any = {"reset": "delayed", "detach_reset": detach_reset, "strict": True}
    for number, (levels, shape) in enumerate(itertools.product((1, 3), SHAPES)):
        x, v = drawn(shape, torch.float64 if number % 2 else torch.float32, number)
        check(x, v, Dynamics(surrogate, leak=0.9, gain=0.7, levels=levels, **how))
    x, v = drawn((6, 300, 16), torch.float64)
    leak, gain, threshold = torch.rand(3, 16, dtype=torch.float64) * 0.5 + 0.4
    check(x, v, Dynamics(surrogate, leak=leak, gain=gain, v_threshold=threshold, **how))
    check(x, None, Dynamics(surrogate, leak=leak, **how))


EARLY = [(0.0, False, True), (0.5, False, False), (0.5, False, True), (1.0, True, False), (1.0, True, True)]


@pytest.mark.parametrize("reset", ["hard", "soft", "delayed"])
@pytest.mark.parametrize(("early", "strict", "signed"), EARLY)
def test_early_and_signed_spikes(reset: Any, early: float, strict: bool, signed: bool) -> None:
    how: Any = {"reset": reset, "strict": strict, "early": early, "signed": signed}
    for number, (levels, shape) in enumerate(itertools.product((1, 3), SHAPES[:2])):
        x, v = drawn(shape, torch.float64, number)
        detach = bool(number % 2)
        dynamics = Dynamics(ATan(), leak=0.9, gain=0.7, levels=levels, v_threshold=0.5, detach_reset=detach, **how)
        check(x, v, dynamics)
        spikes, _ = lif_scan(x, None, dynamics)
        assert bool((spikes < 0).any()) is signed
    x, v = drawn((6, 300, 16), torch.float64)
    leak, gain, threshold = torch.rand(3, 16, dtype=torch.float64) * 0.5 + 0.4
    check(x, v, Dynamics(ATan(), leak=leak, gain=gain, v_threshold=threshold, levels=3, **how))


@pytest.mark.parametrize("reset", ["hard", "soft", "delayed"])
@pytest.mark.parametrize("levels", [1, 2])
def test_a_strict_threshold_is_not_fired_at(reset: Any, levels: int) -> None:
    x = torch.tensor([[1.0, 0.5, 1.0, 2.0, 3.0]]).expand(4, -1, -1).contiguous()
    for strict in (True, False):
        dynamics = Dynamics(ATan(), leak=0.5, reset=reset, levels=levels, strict=strict)
        check(x, None, dynamics)
        spikes, _ = lif_scan(x, None, dynamics)
        assert spikes[0, 0, 0] == (0.0 if strict else 1.0)


def test_many_steps() -> None:
    x, v = drawn((1000, 3, 21), torch.float64)
    check(x, v, Dynamics(ATan(), tau=20.0))
    leak = torch.full((21,), 0.97, dtype=torch.float64)
    check(x, v, Dynamics(ATan(), leak=leak, gain=0.1))


@pytest.mark.parametrize("shape", [(0, 2, 3), (3, 0, 4), (3, 2, 0)])
def test_nothing_to_do(shape: tuple[int, ...]) -> None:
    x, v = drawn(shape)
    dynamics = Dynamics(ATan(), tau=2.0)
    assert compiled.scan(Stated(dynamics, shape[-1]), x, v, return_state=True) is None
    if shape[0]:
        spikes, last = Stated(dynamics, shape[-1])(x, v, return_state=True)
        assert (spikes.shape, last.shape) == (x.shape, v.shape)


def test_inputs_of_any_layout() -> None:
    dynamics = Dynamics(ATan(), tau=2.0, reset="soft")
    x, v = drawn((5, 6, 8))
    whole = results(compiled_scan, x, v, dynamics)
    for strided in (x.permute(2, 1, 0).contiguous().permute(2, 1, 0), torch.cat((x, x), -1)[..., :8]):
        assert not strided.is_contiguous()
        for a, b in zip(results(compiled_scan, strided, v, dynamics), whole, strict=True):
            assert torch.equal(a, b)
    constant = x[:1].expand(7, -1, -1)
    for a, b in zip(
        results(compiled_scan, constant, v, dynamics),
        results(compiled_scan, constant.contiguous(), v, dynamics),
        strict=True,
    ):
        assert torch.equal(a, b)
    check(constant, v.mT.contiguous().mT, dynamics)


def test_bfloat16_input_keeps_float32_membranes() -> None:
    x, v = drawn((9, 4, 50), torch.bfloat16)
    check(x, v, Dynamics(ATan(), tau=5.0))
    check(x, None, Dynamics(ATan(), leak=torch.linspace(0.5, 0.9, 50), levels=3, reset="soft"))
    spikes, last = compiled_scan(x, None, Dynamics(ATan(), tau=5.0))
    assert (spikes.dtype, last.dtype) == (torch.bfloat16, torch.float32)  # type: ignore[union-attr]


def test_rounding_to_bfloat16_is_torchs() -> None:
    x = torch.tensor([1.0, float("nan"), float("inf"), -float("inf"), 3.3895e38, 1e-40]).view(1, 1, -1)
    x = torch.cat((x, torch.randn(1, 1, 1000)), -1).to(torch.bfloat16).requires_grad_()
    grad = torch.randn(1, 1, x.shape[-1]).to(torch.bfloat16)
    ours = torch.autograd.grad(compiled_scan(x, None, Dynamics(ATan(), tau=3.0))[0], x, grad)[0]
    theirs = torch.autograd.grad(reference.lif_scan(x, None, Dynamics(ATan(), tau=3.0))[0], x, grad)[0]
    usual = x.isfinite() & (x.abs() < 1e30)
    torch.testing.assert_close(ours[usual], theirs[usual], rtol=8e-3, atol=1e-6)
    assert torch.equal(ours.isnan(), theirs.isnan())


def test_not_a_number_never_fires_and_stays() -> None:
    x = torch.tensor([0.5, float("nan"), 9.0]).view(3, 1, 1)
    for dynamics in (Dynamics(ATan(), tau=2.0), Dynamics(ATan(), tau=2.0, reset="soft")):
        spikes, last = compiled_scan(x, None, dynamics)
        assert not spikes.any()
        assert last is not None
        assert last.isnan().all()


@pytest.mark.parametrize("surrogate", SURROGATES, ids=repr)
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_gradients_of_the_smooth_neuron_by_finite_differences(
    surrogate: Surrogate, reset: Any, detach_reset: bool
) -> None:
    # With the primitive in place of the step, and the reset in the graph, the backward pass must be the true
    # derivative; a detached reset is not one, and is compared with autograd on the same smooth neuron instead.
    x, v = drawn((4, 2, 3), torch.float64, seed=5)
    leak = torch.linspace(0.6, 0.9, 3, dtype=torch.float64)
    gain, threshold = leak.flip(0).clone(), leak + 0.2

    def smooth(x: Tensor, v: Tensor, leak: Tensor, gain: Tensor, threshold: Tensor) -> Any:
        smoothed = Smooth(surrogate)
        own = Dynamics(smoothed, leak=leak, gain=gain, v_threshold=threshold, reset=reset, detach_reset=detach_reset)
        return compiled_scan(x, v, own)

    leaves = [leaf.requires_grad_() for leaf in (x, v, leak, gain, threshold)]
    if not detach_reset:
        assert torch.autograd.gradcheck(smooth, leaves, eps=1e-7, atol=1e-5, rtol=1e-4)
        return
    membrane, out = v, []
    for x_t in x:
        h = membrane * leak + x_t * gain
        s = surrogate.forward_smooth(h - threshold)
        out.append(s)
        membrane = h - s.detach() * threshold if reset == "soft" else h * (1 - s.detach())
    spikes, last = smooth(x, v, leak, gain, threshold)
    torch.testing.assert_close(spikes, torch.stack(out))
    weights = ramp(spikes)
    ours = torch.autograd.grad((spikes * weights).sum() + last.sum(), leaves)
    theirs = torch.autograd.grad((torch.stack(out) * weights).sum() + membrane.sum(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_used_twice_in_one_graph() -> None:
    x, _ = drawn((5, 3, 8), torch.float64)
    grads = []
    for kernel in ("auto", "reference"):
        with use_kernel(kernel):  # type: ignore[arg-type]
            leaf = x.detach().requires_grad_()
            neuron = PLIF(8, tau=3.0).double()
            first = neuron(leaf)
            second = neuron(first * 2.0 + leaf)
            (second * ramp(second)).sum().backward()
            grads.append((leaf.grad, neuron.w.grad))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_gradient_of_the_state_alone_and_of_the_spikes_alone() -> None:
    x, v = drawn((4, 3, 5), torch.float64)
    dynamics = Dynamics(ATan(), tau=2.0, detach_reset=False)
    for part in (0, 1):
        ours, theirs = (
            torch.autograd.grad(scan(leaf, v, dynamics)[part].sum(), leaf)[0]  # type: ignore[union-attr]
            for scan in (compiled_scan, reference.lif_scan)
            for leaf in (x.detach().requires_grad_(),)
        )
        torch.testing.assert_close(ours, theirs)


def test_no_gradient_of_a_gradient() -> None:
    x, _ = drawn((3, 2, 4))
    x.requires_grad_()
    with pytest.raises(RuntimeError, match="use_kernel\\('reference'\\)"):
        torch.autograd.grad(LIF(4)(x).sum(), x, create_graph=True)
    with use_kernel("reference"):
        (grad,) = torch.autograd.grad(LIF(4)(x).sum(), x, create_graph=True)
    assert grad.isfinite().all()


def test_threads_do_not_change_a_bit() -> None:
    x, _ = drawn((4, 700, 96))
    neuron, norm = PLIF(96, share="channel"), TokenNorm(96)
    found = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            leaf = x.detach().requires_grad_()
            spikes = neuron(leaf, norm=norm)
            leaves = (leaf, neuron.w, norm.weight, norm.bias)
            found.append([spikes, *torch.autograd.grad((spikes * ramp(spikes)).sum(), leaves)])
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        for a, b in zip(found[0], others, strict=True):
            assert torch.equal(a, b)


def test_threads_without_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    x, v = drawn((4, 64, 512))
    dynamics = Dynamics(ATan(), tau=2.0)
    expected = results(compiled_scan, x, v, dynamics)
    monkeypatch.setattr(jit, "_on_threads", lambda: jit._run_in_pool)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        found = results(compiled_scan, x, v, dynamics)
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


class TestFallback:
    """What the kernels cannot do goes to the definition, and the log says so."""

    dynamics = Dynamics(ATan(), tau=2.0)

    def test_reasons(self) -> None:
        x, v = drawn((3, 2, 4))
        neuron = Stated(self.dynamics, 4)
        assert compiled.scan(neuron, x, v, return_state=True) is not None
        for other, state in (
            (x.half(), None),
            (x, v.double()),
            (x, v[:1]),
            (x.to("meta"), None),
            (x.to_sparse(), None),
        ):
            assert compiled.scan(neuron, other, state, return_state=True) is None
        with use_kernel("reference"):
            assert compiled.scan(neuron, x, v, return_state=True) is None

    def test_reasons_of_the_kernels_that_know_lif_alone(self) -> None:
        x, v = drawn((3, 2, 4))
        assert why_not_fused(x, v, self.dynamics) == ""
        assert "float16" in why_not_fused(x.half(), None, self.dynamics)
        assert "float64 membranes" in why_not_fused(x, v.double(), self.dynamics)
        assert "shape of one step" in why_not_fused(x, v[:1], self.dynamics)
        assert "meta" in why_not_fused(x.to("meta"), None, self.dynamics)

        class Steeper(ATan):
            pass

        assert "Steeper" in why_not_fused(x, v, Dynamics(Steeper(), tau=2.0))
        assert "last axes" in why_not_fused(x, v, Dynamics(ATan(), leak=torch.ones(3)))
        with use_kernel("reference"):
            assert "asked for" in why_not_fused(x, v, self.dynamics)

    def test_the_log_tells_once(self, caplog: pytest.LogCaptureFixture) -> None:
        class Rolled(LIF):
            def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
                return super().step(x_t.roll(1, -1), state)

        neuron = Rolled(3)
        with caplog.at_level(logging.DEBUG, logger="snnctl.kernels"):
            for _ in range(3):
                neuron(torch.ones(2, 1, 3))
        assert [r.message for r in caplog.records].count(
            "Rolled runs its definition: `roll` is no pointwise operation that the compiler knows"
        ) == 1

    def test_torch_func(self) -> None:
        x, _ = drawn((3, 2, 4), torch.float64)
        neuron = LIF(4)
        expected = torch.autograd.grad(neuron(leaf := x.clone().requires_grad_()).sum(), leaf)[0]
        torch.testing.assert_close(torch.func.grad(lambda x: neuron(x).sum())(x), expected)
        mapped = torch.func.vmap(neuron, in_dims=1, out_dims=1)(x.unsqueeze(1))
        assert torch.equal(mapped.squeeze(1), neuron(x))
        parameters = dict(PLIF(4).named_parameters())
        called = torch.func.functional_call(PLIF(4), parameters, (x.float(),))
        assert torch.equal(called, PLIF(4)(x.float()))

    @pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # torch's own import
    def test_forward_mode(self) -> None:
        x, _ = drawn((2, 2, 3))
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
            assert "forward-mode" in why_not_fused(dual, None, self.dynamics)
            assert compiled.scan(Stated(self.dynamics, 3), dual, None, return_state=True) is None

    def test_tracing(self) -> None:
        x, _ = drawn((3, 2, 4))
        neuron = LIF(4)
        exported = torch.export.export(neuron, (x,)).module()
        assert torch.equal(exported(x), neuron(x))

    @pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
    def test_torch_compile(self) -> None:
        x, _ = drawn((3, 2, 4))
        leaf, twin = x.clone().requires_grad_(), x.clone().requires_grad_()
        network = torch.nn.Sequential(torch.nn.Linear(4, 4), LIF(4, tau=3.0))
        compiled = torch.compile(network, backend="eager")
        assert torch.equal(compiled(leaf), network(twin))
        compiled(leaf).sum().backward()
        network(twin).sum().backward()
        torch.testing.assert_close(leaf.grad, twin.grad)

    def test_unknown_kernel(self) -> None:
        with pytest.raises(ValueError, match="unknown kernel `fast`; known: auto, reference, compile, triton"):
            use_kernel("fast").__enter__()  # type: ignore[arg-type]


def test_autocast_hands_bfloat16_currents_to_the_kernel() -> None:
    linear, neuron = torch.nn.Linear(8, 8), LIF(8)
    x = torch.randn(4, 3, 8)
    found = []
    for kernel in ("auto", "reference"):
        with use_kernel(kernel), torch.autocast("cpu", dtype=torch.bfloat16):  # type: ignore[arg-type]
            spikes = neuron(linear(x))
            spikes.sum().backward()
        found.append((spikes, linear.weight.grad))
        linear.zero_grad()
    assert found[0][0].dtype == torch.bfloat16
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=2e-2, atol=2e-2)


def test_compiled_code_is_kept_on_disk(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    from snnctl.neurons.kernels.scan_ir import forward_ir

    form = compiled.program_for(LIF(3, tau=7.3), torch.ones(2, 1, 3), None).form
    text = forward_ir(form, "scan", from_rest=True, keeps_state=False)
    first, second = jit.Compiled("scan", text), jit.Compiled("scan", text)
    assert (first.from_disk, second.from_disk) == (False, True)
    (kept,) = (tmp_path / "snnctl" / "kernels").iterdir()
    kept.write_bytes(kept.read_bytes()[:-7])  # a damaged file is made again
    assert not jit.Compiled("scan", text).from_disk
    assert jit.Compiled("scan", text).from_disk
    kept.unlink()
    (tmp_path / "snnctl" / "kernels").rmdir()
    (tmp_path / "snnctl" / "kernels").write_text("in the way")
    assert not jit.Compiled("scan", text).from_disk  # nowhere to keep it, and still it works


def test_a_child_of_fork_can_run_kernels(tmp_path: Any) -> None:
    """Loader workers are forked from a process whose threads have run kernels."""
    import subprocess
    import sys

    code = """
import os, torch
torch.set_num_threads(2)
from snnctl.neurons import LIF
x = torch.randn(4, 256, 256)
expected = LIF(256)(x)
class Items(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): return LIF(256)(x)
if __name__ == "__main__":
    for items in torch.utils.data.DataLoader(Items(), batch_size=2, num_workers=2):
        LIF(256)(x)
        assert all(torch.equal(item, expected) for item in items)
    print("same")
"""
    script = tmp_path / "loader.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "same\n", done.stderr


@pytest.mark.parametrize("kind", [LIF, IF])
def test_modules_take_the_kernel(kind: Any) -> None:
    x, _ = drawn((6, 4, 10))
    neuron = kind(10, reset="soft")
    spikes, state = neuron(x, return_state=True)
    with use_kernel("reference"):
        expected, expected_state = neuron(x, return_state=True)
    assert torch.equal(spikes, expected)
    assert torch.equal(state, expected_state)
    assert type(neuron(x.requires_grad_()).grad_fn).__name__ == "_ScanBackward"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of the x86-64 family")
@pytest.mark.parametrize("processor", ["x86-64", "haswell"])
def test_processors_with_narrower_vectors(processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target, _, _ = jit.host()
    monkeypatch.setattr(jit, "host", lambda: (target, processor, ""))
    for module, names in (
        (run, ("forward_kernel", "backward_kernel")),
        (norm_cpu, ("_kernel", "_norm_launch")),
        (packed, ("_kernel", "_launch")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, cache(getattr(module, name).__wrapped__))
    spikes = torch.randint(0, 256, (packed.WORTH_BYTES // 4 + 3,)).float()
    kept = packed.pack(spikes)
    assert kept is not None
    assert torch.equal(packed.unpack(kept), spikes)
    x, v = drawn((5, 7, 19))
    for surrogate in (ATan(), Sigmoid()):
        check(x, v, Dynamics(surrogate, tau=3.0, levels=2))
        check(x.bfloat16(), None, Dynamics(surrogate, tau=3.0, reset="soft"))
    norm = TokenNorm(19)
    spikes = LIF(19)(x.requires_grad_(), norm=norm)
    spikes.sum().backward()
    assert spikes.any()
    assert x.grad is not None
    assert x.grad.isfinite().all()
