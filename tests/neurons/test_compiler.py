"""Every neuron by the kernel that is made from its step, against the step itself; and what no kernel can be made of."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnctl.bench.neurons import make_neuron
from snnctl.core.catalog import NEURONS
from snnctl.neurons import ALIF, CLIF, GLIF, KLIF, LIF, PLIF, ATan, CubaLIF, ResonateFire, ShiftLIF, TauLIF, TokenNorm
from snnctl.neurons.base import SpikingNeuron
from snnctl.neurons.kernels import compiled, program, use_kernel
from snnctl.neurons.surrogate import Surrogate, make_surrogate

SHIPPED = ("alif", "clif", "cuba_lif", "glif", "if", "klif", "lif", "lm_h", "plif")
SHIPPED += ("resonate_fire", "shift_lif", "tau_lif", "tc_lif")
CHANNELS = 16


class Leaky(SpikingNeuron):
    """The plug-in of the readme."""

    def __init__(self, channels: int, *, tau: float = 2.0) -> None:
        super().__init__(channels)
        self.tau, self.surrogate = tau, make_surrogate("atan")

    def initial_state(self, x0: Tensor) -> Tensor:
        return torch.zeros_like(x0)

    def step(self, x_t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        h = v + (x_t - v) / self.tau
        spikes = self.surrogate.spike(h - 1.0)
        return spikes, h - spikes


class Busy(SpikingNeuron):
    """Much that a step may do: parameters per channel and for all, computed values, logic, powers, work in place."""

    state_parts = 2

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.decay = nn.Parameter(torch.linspace(-1, 1, channels))
        self.gain = nn.Parameter(torch.tensor(1.3))
        self.bias = nn.Parameter(torch.full((1, channels), 0.1), requires_grad=False)
        self.register_buffer("floor", torch.tensor(-2.0))
        self.surrogate = ATan()

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        v, a = state
        leak = self.decay.to(v.dtype).sigmoid() * 0.9
        h = v * leak
        x = x_t.to(v.dtype)
        h += torch.where(x > 0, x, 0.1 * x) * self.gain.square() + self.bias
        h = h * (1 + torch.arange(h.shape[-1]) / 40) + torch.tensor(0.01)
        h = torch.maximum(h, self.floor.to(h.dtype)).clamp(max=5.0)
        s = self.surrogate.spike(h - 1.0 - a.abs().sqrt().clamp(min=0.1))
        quiet = (h < 0.5) & ~(a > 1.0)
        a = torch.where(quiet, 0.8 * a, a + s**2 - torch.tanh(0.1 * h) / 3)
        return s.to(x_t.dtype), (h * (1 - s), a)


MADE: dict[str, Callable[[], SpikingNeuron]] = {
    name: lambda name=name: make_neuron(name, (4, CHANNELS)) for name in SHIPPED
}
MADE |= {
    "readme": lambda: Leaky(CHANNELS),
    "busy": lambda: Busy(CHANNELS),
    "plif per channel": lambda: PLIF(CHANNELS, share="channel", learn_threshold="channel", detach_reset=False),
    "lif spread": lambda: LIF(CHANNELS, tau=3.0, tau_spread=0.5, decay_input=False, reset="soft"),
    "tau_lif learned": lambda: TauLIF(CHANNELS, learn="channel", input_gain="variance"),
    "klif scaled": lambda: KLIF(CHANNELS, scale_reset=True, reset="soft", decay_input=False),
    "glif fixed gates": lambda: GLIF(CHANNELS, learn_gates=False),
    "shift_lif hard": lambda: ShiftLIF(CHANNELS, reset="hard", fraction_bits=1, detach_reset=False),
    "alif detached": lambda: ALIF(CHANNELS, detach_reset=True, surrogate="sigmoid"),
}
INEXACT = ("clif", "busy")  # what torch computes at the end of a row with the C library may differ in the last place


def test_which_neurons_are_compiled() -> None:
    reasons = {name: make_neuron(name, (4, 64)).why_not_compiled() for name in NEURONS.names()}
    assert [name for name, reason in reasons.items() if not reason] == sorted(SHIPPED)
    assert "`scan`" in reasons["psn"]
    assert "one value per neuron" in GLIF(4, conduct_steps=3).why_not_compiled()


def leaves_of(neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...]) -> list[Tensor]:
    return [x, *states, *(p for p in neuron.parameters() if p.requires_grad)]


def results(
    neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...] | None, kernel: Any
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Spikes and last state, and gradients of input, first state and parameters."""
    x = x.detach().requires_grad_()
    given = tuple(state.detach().requires_grad_() for state in states or ())
    single = isinstance(neuron.initial_state(x[0]), Tensor)
    with use_kernel(kernel):
        state = None if states is None else given[0] if single else given
        if kernel == "auto":
            found = compiled.scan(neuron, x, state, return_state=True)
            assert found is not None, compiled.program_for(neuron, x, None)
        spikes, last = neuron(x, state, return_state=True)
    outputs = [spikes, *((last,) if single else last)]
    generator = torch.Generator().manual_seed(7)
    loss = sum((out * torch.randn(out.shape, generator=generator).to(out.dtype)).sum() for out in outputs)
    grads = torch.autograd.grad(loss, leaves_of(neuron, x, given), allow_unused=True)  # type: ignore[arg-type]
    return [out.detach() for out in outputs], list(grads)


def drawn(neuron: SpikingNeuron, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(len(shape) + shape[0])
    size = getattr(neuron, "v_threshold", 1.0) * 2
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * size
    rest = neuron.initial_state(x[0])
    parts = len(rest) if isinstance(rest, tuple) else 1
    states = tuple(torch.randn(shape[1:], generator=generator, dtype=torch.float64) * size / 4 for _ in range(parts))
    wide = torch.promote_types(dtype, torch.float32)
    return x.to(dtype), tuple(state.to(wide) for state in states)


def varied(neuron: SpikingNeuron) -> SpikingNeuron:
    """With parameters that are not what they start as."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in neuron.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) * 0.1
    return neuron


@pytest.mark.parametrize("name", MADE)
def test_the_kernel_is_the_step(name: str) -> None:
    for number, shape in enumerate([(1, 3, CHANNELS), (6, 1, CHANNELS), (5, 2, 3, CHANNELS), (3, 131, CHANNELS)]):
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            if (name == "readme" and dtype == torch.bfloat16) or (number and dtype == torch.bfloat16):
                continue
            neuron = varied(MADE[name]())
            neuron = neuron.double() if dtype == torch.float64 else neuron
            x, states = drawn(neuron, shape, dtype)
            given = states if number % 2 else None
            ours, theirs = (results(neuron, x, given, kernel) for kernel in ("auto", "reference"))
            assert torch.equal(ours[0][0], theirs[0][0])
            for a, b in zip(ours[0], theirs[0], strict=True):
                assert a.dtype == b.dtype
                assert torch.equal(a, b) or name in INEXACT
                torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
            bound = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 2e-2}[dtype]
            for a, b in zip(ours[1], theirs[1], strict=True):
                a, b = (torch.zeros(()) if part is None else part for part in (a, b))
                assert float((a - b).abs().max()) <= bound * (1 + float(b.abs().max()))


class Smooth(Surrogate):
    """The primitive in place of the step."""

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate

    def forward_smooth(self, x: Tensor) -> Tensor:
        return self.surrogate.forward_smooth(x)

    def gradient(self, x: Tensor) -> Tensor:
        return self.surrogate.gradient(x)

    def spike(self, x: Tensor) -> Tensor:
        return self.surrogate.forward_smooth(x)


@pytest.mark.parametrize("make", [CLIF, GLIF, KLIF, CubaLIF, ResonateFire, PLIF])
def test_gradients_of_the_smooth_neuron_by_finite_differences(make: Any) -> None:
    neuron = make(3, **({"detach_reset": False} if make is PLIF else {})).double()
    neuron.surrogate = Smooth(make_surrogate("sigmoid"))
    x, states = drawn(neuron, (3, 2, 3), torch.float64)
    inputs = [part.requires_grad_() for part in (x, *states)]
    kept = [p for p in neuron.parameters() if p.requires_grad]

    def run(x: Tensor, *rest: Tensor) -> Any:
        parts = rest[: len(states)]
        found = compiled.scan(neuron, x, parts[0] if len(parts) == 1 else parts, return_state=True)
        assert found is not None
        return (found[0], *(found[1] if isinstance(found[1], tuple) else (found[1],)))

    assert torch.autograd.gradcheck(run, [*inputs, *kept], eps=1e-7, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["alif", "glif", "readme", "busy"])
@pytest.mark.parametrize("training", [True, False])
def test_a_norm_before_any_neuron_runs_in_the_same_kernel(name: str, training: bool) -> None:
    found = []
    for kernel in ("auto", "reference"):
        neuron, norm = varied(MADE[name]()).double(), TokenNorm(CHANNELS, gain=1.5).double().train(training)
        norm.running_mean += 0.2
        offset = torch.linspace(-0.2, 0.2, CHANNELS, dtype=torch.float64).requires_grad_()
        x, states = drawn(neuron, (4, 9, CHANNELS), torch.float64)
        x.requires_grad_()
        state = states[0] if len(states) == 1 else states
        with use_kernel(kernel):  # type: ignore[arg-type]
            spikes, _ = neuron(x, state, return_state=True, norm=norm, offset=offset)
        assert ("NormScan" in type(spikes.grad_fn).__name__) is (kernel == "auto")
        weights = torch.linspace(-1, 1, spikes.numel(), dtype=torch.float64).view_as(spikes)
        leaves = [*leaves_of(neuron, x, ()), norm.weight, norm.bias, offset]
        grads = torch.autograd.grad((spikes * weights).sum(), leaves, allow_unused=True)
        found.append([spikes, norm.running_mean, norm.running_var, *grads])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


class TestChanges:
    """A kernel is made for a neuron as it is; a neuron that has changed gets another."""

    def agrees(self, neuron: SpikingNeuron) -> None:
        x, _ = drawn(neuron, (5, 3, CHANNELS), torch.float32)
        ours, theirs = (results(neuron, x, None, kernel) for kernel in ("auto", "reference"))
        assert torch.equal(ours[0][0], theirs[0][0])
        for a, b in zip(ours[1], theirs[1], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)

    def test_attributes_and_what_they_hold(self) -> None:
        neuron = Leaky(CHANNELS)
        self.agrees(neuron)
        neuron.tau = 5.0
        self.agrees(neuron)
        neuron.surrogate.alpha = 0.3  # type: ignore[attr-defined]
        self.agrees(neuron)
        neuron.surrogate = make_surrogate("triangle")
        self.agrees(neuron)

    def test_entries_of_a_list(self) -> None:
        class Listed(Leaky):
            def __init__(self, channels: int) -> None:
                super().__init__(channels)
                self.at = [1.0]

            def step(self, x_t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
                return super().step(x_t * self.at[0], v)

        neuron = Listed(CHANNELS)
        self.agrees(neuron)
        neuron.at[0] = 3.0
        self.agrees(neuron)

    def test_a_parameter_that_is_frozen_and_let_go(self) -> None:
        neuron = PLIF(CHANNELS)
        neuron.w.requires_grad_(False)
        self.agrees(neuron)
        neuron.w.requires_grad_(True)
        self.agrees(neuron)

    def test_a_leak_per_channel_in_place_of_one(self) -> None:
        neuron = ALIF(CHANNELS)
        self.agrees(neuron)
        neuron.set_leak(torch.linspace(0.5, 0.9, CHANNELS))
        self.agrees(neuron)
        neuron.set_leak(torch.tensor(0.7))
        self.agrees(neuron)

    def test_a_steeper_surrogate_takes_the_same_kernel(self) -> None:
        neuron = LIF(CHANNELS, surrogate=ATan(alpha=2.1, sharpen=3.0))
        x = torch.zeros(2, 2, CHANNELS)
        forms = []
        for share in (0.1, 0.3, 0.7):
            neuron.training_progress(share)
            forms.append(compiled.program_for(neuron, x, None).form)
        assert forms[0] == forms[1] == forms[2]
        assert program.forward_kernel(forms[0], True, False) is program.forward_kernel(forms[2], True, False)

    def test_copies(self) -> None:
        neuron = GLIF(CHANNELS)
        self.agrees(neuron)
        self.agrees(copy.deepcopy(neuron))
        self.agrees(pickle.loads(pickle.dumps(neuron)))


def test_only_the_input_is_kept_for_the_backward_pass() -> None:
    kept: list[int] = []
    x = torch.randn(10, 4, CHANNELS, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        CLIF(CHANNELS)(x)  # traced here, and out of the hooks' sight
    assert sum(kept) == x.numel()


def test_parameters_of_a_transform_go_to_the_definition() -> None:
    neuron = PLIF(4).double()
    x = torch.randn(3, 2, 4, dtype=torch.float64)

    def loss(own: dict[str, Tensor]) -> Tensor:
        spikes: Tensor = torch.func.functional_call(neuron, own, (x,))
        return (spikes * x).sum()

    own = dict(neuron.named_parameters())
    (expected,) = torch.autograd.grad((neuron(x) * x).sum(), neuron.w)
    torch.testing.assert_close(torch.func.grad(loss)(own)["w"], expected)
    assert compiled.scan(neuron, x, None, return_state=False) is not None


class Refused(Leaky):
    def change(self, x_t: Tensor, v: Tensor) -> Tensor:
        raise NotImplementedError

    def step(self, x_t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return super().step(self.change(x_t, v), v)


class _Mixing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 1.0

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] + grads[0].sum()


LINEAR = nn.Linear(CHANNELS, CHANNELS)
REFUSED: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "value": (lambda x, v: x * 2 if float(torch.ones(())) > 0 else x, "reads the value"),
    "sum": (lambda x, v: x * 2 if float(v.detach().sum()) > 0 else x, "`sum`"),
    "if": (lambda x, v: x * 2 if (v > 100).any() else x, "`any`"),
    "layer": (lambda x, v: LINEAR(x), "`linear`"),
    "neighbours": (lambda x, v: x - x.mean(-1, keepdim=True), "mean"),
    "moved": (lambda x, v: x.roll(1, -1), "roll"),
    "noise": (lambda x, v: x + torch.randn_like(x), "randn_like"),
    "dropout": (lambda x, v: nn.functional.dropout(x), "`dropout`"),
    "part": (lambda x, v: x * x[..., :1], "slice"),
    "turned": (lambda x, v: x.flip(0), "flip"),
    "cumulated": (lambda x, v: x.cumsum(-1), "cumsum"),
    "backward": (lambda x, v: _Mixing.apply(x), "sum"),
    "narrow": (lambda x, v: (x.bfloat16() * 0.3).to(x.dtype), "bfloat16"),
    "wide": (lambda x, v: (x.double() * 0.3).to(x.dtype), "float64"),
    "whole": (lambda x, v: x * x.long(), "int64"),
    "past torch": (lambda x, v: x * float(x.detach().numpy().max()), "does not see"),
    "given": (lambda x, v: x.detach().mul_(2.0), "changes what the step was given"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_runs_its_definition_and_says_why(name: str) -> None:
    change, words = REFUSED[name]

    class One(Refused):
        def change(self, x_t: Tensor, v: Tensor) -> Tensor:
            return change(x_t, v)

    neuron = One(CHANNELS)
    assert words in neuron.why_not_compiled()
    x = torch.randn(3, 2, CHANNELS)
    if name not in ("noise", "dropout", "given"):
        with use_kernel("reference"):
            expected = neuron(x.clone())
        assert torch.equal(neuron(x), expected)


def test_a_neuron_with_a_scan_or_forward_of_its_own() -> None:
    class Own(LIF):
        def scan(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            spikes, last = super().scan(x, state)
            return spikes * 2, last

    class Forward(LIF):
        def forward(self, x: Tensor, state: Any = None, *, return_state: bool = False) -> Any:
            return super().forward(2 * x, state, return_state=return_state)

    x = torch.randn(4, 3, CHANNELS)
    assert torch.equal(Own(CHANNELS)(x), LIF(CHANNELS)(x) * 2)
    assert torch.equal(Forward(CHANNELS)(x), LIF(CHANNELS)(2 * x))
    assert "`scan`" in Own(CHANNELS).why_not_compiled()
    assert not Forward(CHANNELS).fuses_norm
