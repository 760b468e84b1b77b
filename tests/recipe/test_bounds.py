"""What cannot run is refused from the text and from shapes, before anything of its size is made."""

import os
import time
from pathlib import Path

import pytest
from torch import nn

from snnctl.commands.validate import validate
from snnctl.engine import bounds
from snnctl.engine.bounds import TooLargeError, few_modules

HUGE = "999999999999999999999999"


def codes(*sets: str) -> list[str]:
    return [one.code for one in validate("quickstart", sets).diagnostics]


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "1e400", HUGE, f"-{HUGE}", "9" * 500])
@pytest.mark.parametrize("key", ["train.epochs", "train.seed", "model.dim", "data.window", "task.metrics[0]"])
def test_no_whole_number(key: str, value: str) -> None:
    assert codes(f"{key}={value}")[0] in ("R203", "R204", "R205", "R206", "R200")


def test_integers_that_torch_cannot_hold() -> None:
    found = validate("quickstart", [f"train.epochs={HUGE}"]).diagnostics
    assert [(one.code, one.path) for one in found] == [("R204", "train.epochs")]
    assert "2^63" in found[0].message
    assert codes("model.neuron.tau=100000000000000000000") == []  # a float is as large as it likes


def test_long_paths() -> None:
    assert codes(".".join("a" * 20_000) + "=1") == ["R111"]
    assert codes(".".join(["model"] * 25) + "=1") == ["R111"]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("model.dim=100000000", "model.dim"),
        ("model.hidden=1000000000000", "model.hidden"),
        ("encoder.steps=10000000000", "encoder.steps"),
        ("encoder.dim=1000000000000", "encoder.dim"),
    ],
)
def test_beyond_memory(change: str, key: str) -> None:
    begin = time.process_time()
    found = validate("quickstart", [change]).diagnostics
    assert [(one.code, one.path) for one in found] == [("R406", key)]
    assert "GB" in found[0].message
    assert key in found[0].help
    assert time.process_time() - begin < 2.0


@pytest.mark.parametrize("key", ["model.depth", "model.position.neurons"])
def test_absurd_numbers_of_parts(key: str) -> None:
    assert codes(f"{key}=1000000000") == ["R204"]


def test_what_memory_holds_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes() == []
    monkeypatch.setattr(bounds, "memory_bytes", lambda: 20_000)
    assert "R406" in codes()


def test_modules_are_counted_as_they_are_made() -> None:
    made = 0

    class Part(nn.Module):
        def __init__(self) -> None:
            nonlocal made
            super().__init__()
            made += 1

    with pytest.raises(TooLargeError), few_modules():
        nn.Sequential(*(nn.Sequential(Part()) for _ in range(10**9)))
    assert made <= bounds.MOST_MODULES + 1
    nn.Sequential(*(Part() for _ in range(10)))  # nothing is counted any more


def test_too_many_codes_to_compare() -> None:
    assert codes("model.position.base=null", "encoder.steps=100000") == ["R401"]


def test_pipes_and_devices(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(pipe)
    for place in (pipe, Path("/dev/zero")):
        found = validate(str(place)).diagnostics
        assert [one.code for one in found] == ["R101"]
        assert "pipe or a device" in found[0].message
