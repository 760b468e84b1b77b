"""What a command loads: nothing heavy before it is needed."""

import subprocess
import sys

import pytest

from snnctl.recipe.shipped import shipped_folder

HEAVY = ["torch", "torchvision", "datasets", "pandas", "pyarrow", "matplotlib", "h5py", "accelerate", "psutil"]
HEAVY += ["llvmlite", "numba", "triton"]
QUICKSTART = str(shipped_folder() / "quickstart.yaml")


def loaded_by(*words: str) -> set[str]:
    """Which of `HEAVY`, and of torch's own slow parts, are loaded once the command has run."""
    code = (
        "import sys; from snnctl.cli.app import run; code = run(sys.argv[1:]);"
        f"print(code, *[m for m in {[*HEAVY, 'torch._dynamo', 'sympy']} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    exit_code, *modules = done.stderr.splitlines()[-1].split()
    assert exit_code == "0"
    return set(modules)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["data", "prep", "--help"],
        ["analyze-pe", "--help"],
        ["analyze-neuron", "--help"],
        ["bench", "--help"],
        ["bench", "recipe", "--help"],
        ["--version"],
        ["init"],
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    assert loaded_by(*words) == set()


def test_validate_loads_torch_and_little_more() -> None:
    assert loaded_by("validate", QUICKSTART) == {"torch", "psutil"}  # how much memory there is


def test_show_a_neuron_loads_torch_and_what_compiles() -> None:
    assert loaded_by("show", "lif") == {"torch", "llvmlite"}  # it says whether a kernel can be made
