"""The Triton kernels of LIF against the definition, in Triton's interpreter; and that they compile for a GPU.

Triton decides at import whether it interprets, so both happen in a process of their own: this file as a script.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from snnctl.neurons import ATan, FastSigmoid, Rectangle, Sigmoid, Surrogate, Triangle
from snnctl.neurons.kernels import Dynamics, reference

SURROGATES: list[Surrogate] = [
    ATan(alpha=3.0),
    Sigmoid(),
    FastSigmoid(slope=5.0),
    Rectangle(width=1.5),
    Triangle(width=3.0),
]


def needs_triton() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("triton", reason="Triton cannot be imported")


def run_as_script(task: str, tmp_path: Path, **environment: str) -> str:
    without = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    found = subprocess.run(
        [sys.executable, __file__, task],
        env={**without, "OMP_NUM_THREADS": "1", "TRITON_CACHE_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.mark.slow
def test_the_kernels_are_the_definition(tmp_path: Path) -> None:
    needs_triton()
    ran = run_as_script("compare", tmp_path, TRITON_INTERPRET="1").split()
    assert len(ran) == len(set(ran)) == len(list(cases())) > 30


@pytest.mark.slow
def test_the_kernels_compile_for_a_gpu_without_contracted_products(tmp_path: Path) -> None:
    needs_triton()
    compiler = pytest.importorskip("triton.backends.compiler")
    if not hasattr(compiler, "GPUTarget"):
        pytest.skip("this Triton names its targets otherwise")
    ran = run_as_script("compile", tmp_path).split()
    assert ran == ["plain", "channels", "one_step"]


def test_the_module_can_be_imported_without_triton() -> None:
    code = (
        "import sys; sys.modules['triton'] = None\n"
        "from snnctl.neurons.kernels import Dynamics, lif_triton\n"
        "from snnctl.neurons import ATan\n"
        "import torch\n"
        "assert lif_triton.is_available() == (False, 'Triton cannot be imported')\n"
        "assert lif_triton.why_not(torch.zeros(1, 1, 1), None, Dynamics(ATan())) == 'Triton cannot be imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


class Case(NamedTuple):
    """One comparison: of what, and how.

    Args:
        name: how it is reported.
        dynamics: parameters; tensors among them get gradients.
        shape: of the input.
        dtype: of the input.
        has_start: whether a membrane is given.
        keeps_state: whether the last membrane is asked for.
        uses: which results the loss is made of.
        layout: what is done to the input.
        many: whether the blocks for many neurons are used.
    """

    name: str
    dynamics: Dynamics
    shape: tuple[int, ...] = (5, 7, 37)  # 259 neurons: two blocks and a rest
    dtype: torch.dtype = torch.float32
    has_start: bool = False
    keeps_state: bool = True
    uses: tuple[str, ...] = ("spikes", "state")
    layout: Callable[[Tensor], Tensor] = lambda x: x
    many: bool = False


def parameter(*shape: int, low: float = 0.3, high: float = 1.2) -> Tensor:
    return torch.empty(shape).uniform_(low, high).requires_grad_()


def cases() -> Iterator[Case]:
    torch.manual_seed(3)
    plain = Dynamics(ATan(), tau=3.0)
    learned = Dynamics(ATan(), leak=parameter(37), gain=parameter(37), v_threshold=parameter(37))
    for number, surrogate in enumerate(SURROGATES):
        yield Case(f"surrogate_{number}", learned._replace(surrogate=surrogate, detach_reset=False))
    for reset in ("hard", "soft"):
        for detach in (True, False):
            for levels in (1, 3):
                options: dict[str, Any] = {"reset": reset, "detach_reset": detach, "levels": levels}
                name = f"{reset}_{detach}_{levels}"
                surrogate = SURROGATES[levels]
                yield Case(f"learned_{name}", learned._replace(surrogate=surrogate, **options), has_start=True)
                yield Case(f"scalar_{name}", plain._replace(v_threshold=0.5, **options))
    for tau in (1.5, 2.0, 4.0, 49.0):
        yield Case(f"tau_{tau}", plain._replace(tau=tau), has_start=True)
    yield Case("numbers", Dynamics(ATan(), leak=0.75, gain=1.25), has_start=True)
    yield Case("leak_alone", Dynamics(ATan(), leak=parameter(37)))
    yield Case("one_leak", Dynamics(ATan(), leak=parameter(), reset="soft"), has_start=True)
    yield Case("tau_and_threshold", plain._replace(v_threshold=parameter()))
    yield Case("inner_axis", Dynamics(ATan(), leak=parameter(3, 1, 5), gain=parameter(5)), shape=(4, 2, 3, 4, 5))
    yield Case("whole_step", Dynamics(ATan(), v_threshold=parameter(2, 5)), shape=(4, 2, 5))
    for shape in ((1, 4, 37), (6, 1, 37), (4, 1, 1), (2, 2, 64), (3, 0, 37)):
        fits = learned if shape[-1] == 37 else plain
        yield Case(f"shape_{'_'.join(map(str, shape))}", fits, shape=shape, has_start=True)
    yield Case("transposed", learned, has_start=True, layout=lambda x: x.transpose(1, 2).contiguous().transpose(1, 2))
    yield Case("time_inside", learned, layout=lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0))
    yield Case("every_other_step", plain, shape=(6, 3, 37), layout=lambda x: x[::2])
    yield Case("constant", learned, layout=lambda x: x[:1].expand(4, -1, -1))
    for dtype in (torch.bfloat16, torch.float16):
        yield Case(str(dtype), learned, dtype=dtype, has_start=True)
    yield Case("large_block", learned, shape=(3, 15, 37), has_start=True, many=True)
    yield Case("no_state", learned, keeps_state=False, uses=("spikes",))
    yield Case("spikes_alone", plain, has_start=True, uses=("spikes",))
    yield Case("state_alone", plain, has_start=True, uses=("state",))


def compare() -> None:
    from snnctl.neurons.kernels import lif_triton

    few = lif_triton._FEW
    assert lif_triton.is_available() == (True, "in Triton's interpreter")
    for case in cases():
        x = torch.randn(case.shape) * 2
        x[..., ::2] = (x[..., ::2] * 4).round() / 4  # so that potentials are at the threshold, too
        x = x.to(case.dtype).requires_grad_()
        step = case.layout(x).shape[1:]
        v = torch.randn(step[::-1]).permute(*reversed(range(len(step)))).requires_grad_() if case.has_start else None
        own = [getattr(case.dynamics, name) for name in ("leak", "gain", "v_threshold")]
        inputs = [t for t in (x, v, *own) if isinstance(t, Tensor)]
        weights = torch.randn(case.layout(x).shape), torch.randn(step)
        assert lif_triton.why_not(case.layout(x), v, case.dynamics) == "", case.name
        lif_triton._FEW = 0 if case.many else few

        def results(kernel: Callable[..., Any], case: Case = case, x: Tensor = x, v: Any = v, **more: bool) -> Any:
            return dict(zip(("spikes", "state"), kernel(case.layout(x), v, case.dynamics, **more), strict=True))

        expected = results(reference.lif_scan)
        found = results(lif_triton.scan, return_state=case.keeps_state)
        if not case.keeps_state:
            assert found["state"] is None
            del expected["state"], found["state"]
        for name in found:
            exact = {"rtol": 0, "atol": 0, "msg": lambda m, n=name, c=case.name: f"{c}: {n}: {m}"}
            torch.testing.assert_close(found[name], expected[name], **exact)
        grads = []
        for kind in (expected, found):
            parts = [
                (kind[name].float() * w).sum() for name, w in zip(("spikes", "state"), weights, strict=True)
                if name in case.uses
            ]  # fmt: skip
            grads.append(torch.autograd.grad(sum(parts), inputs, materialize_grads=True))
        for one, other in zip(*grads, strict=True):
            near = {"rtol": 1e-4, "atol": 1e-5} if case.dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
            torch.testing.assert_close(other, one, **near, msg=lambda m, c=case.name: f"{c}: gradient: {m}")
        if "shape" not in case.name:
            assert expected["spikes"].any()
            assert not expected["spikes"].all()
        print(case.name)
    lif_triton._FEW = few
    compare_corners(lif_triton)


def compare_corners(lif_triton: Any) -> None:
    plain = Dynamics(ATan(), tau=3.0)
    x = torch.randn(4, 2, 37)
    x[0, 0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    for dynamics in (plain, plain._replace(levels=3), plain._replace(reset="soft")):
        for found, expected in zip(
            lif_triton.scan(x, None, dynamics), reference.lif_scan(x, None, dynamics), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)

    x = torch.randn(3, 2, 5, requires_grad=True)
    threshold = torch.ones(5, requires_grad=True)
    learned = plain._replace(v_threshold=threshold)
    (grad,) = torch.autograd.grad(lif_triton.scan(x.detach(), None, learned)[0].sum(), threshold)
    (expected,) = torch.autograd.grad(reference.lif_scan(x.detach(), None, learned)[0].sum(), threshold)
    torch.testing.assert_close(grad, expected)
    with pytest.raises(RuntimeError, match="first gradients only"):
        torch.autograd.grad(lif_triton.scan(x, None, plain)[0].sum(), x, create_graph=True)
    with torch.no_grad():
        assert not lif_triton.scan(x, None, learned)[0].requires_grad

    class Own(ATan):
        pass

    for reason, arguments in {
        "no Triton kernel for torch.float64 input": (x.double(), None, plain),
        "with torch.float64 membranes": (x, x[0].double(), plain),
        "no steps": (x[:0], None, plain),
        "not the shape": (x, x[0, :1], plain),
        "surrogate Own": (x, None, plain._replace(surrogate=Own())),
        "several devices": (x, None, plain._replace(v_threshold=torch.ones(5, device="meta"))),
        "is torch.float64": (x, None, plain._replace(v_threshold=torch.ones(5).double())),
        "last axes": (x, None, plain._replace(v_threshold=torch.ones(2))),
    }.items():
        assert reason in lif_triton.why_not(*arguments), reason


def compile_for_a_gpu() -> None:
    """Compile forward and backward as they are launched, with a stand-in for the driver; nothing is run."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    from snnctl.neurons.kernels import lif_triton

    class Driver:
        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", 80, 32)

        def get_current_device(self) -> int:
            return 0

        def get_current_stream(self, device: int) -> int:
            return 0

    class Compiled:
        def __init__(self, kernel: Any) -> None:
            self.kernel = kernel

        def __getitem__(self, grid: Any) -> Callable[..., None]:
            return lambda *given, **options: assembly.append(
                self.kernel.warmup(*given, grid=grid, **options).asm["ptx"]
            )

    driver.set_active(Driver())
    assembly: list[str] = []
    lif_triton.forward_kernel = Compiled(lif_triton.forward_kernel)
    lif_triton.backward_kernel = Compiled(lif_triton.backward_kernel)
    learned = Dynamics(Sigmoid(), leak=parameter(16), v_threshold=parameter(16), levels=3, detach_reset=False)
    for name, shape, dtype, dynamics in (
        ("plain", (4, 2, 16), torch.float32, Dynamics(ATan(), tau=3.0)),
        ("channels", (4, 2, 16), torch.bfloat16, learned),
        ("one_step", (1, 1, 1), torch.float16, Dynamics(Triangle(), tau=3.0, v_threshold=parameter(1))),
    ):
        x = torch.zeros(shape, dtype=dtype, requires_grad=True)
        spikes, v = lif_triton.scan(x, torch.zeros(shape[1:], requires_grad=True), dynamics)
        assert v is not None
        (spikes.float().sum() + v.sum()).backward()
        print(name)
    assert len(assembly) == 6
    for text in assembly:
        assert "div.rn.f32" in text
        assert not re.search(r"\bfma\.", text)
        assert ("bar.sync" in text) == ("backward_kernel" in text)  # between writing and reading the potentials


if __name__ == "__main__":
    {"compare": compare, "compile": compile_for_a_gpu}[sys.argv[1]]()
