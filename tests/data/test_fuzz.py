"""Damaged files of every format: each is read, or refused with a diagnostic. `fuzz.py` does more of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import fuzz
import pytest
from fuzz_samples import SAMPLES

from snnctl.data.cache import caching_in

_REFUSED = ("set.zip",)  # sound, and none of what is read today
_SLOW = ("images.parquet", "mnist", "modes")  # load large libraries, or hold many files
_SEED = 20


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.uses], ids=lambda one: one.key)
def test_samples_are_sound(tmp_path: Path, sample: fuzz.Sample) -> None:
    if sample.name in _REFUSED:
        pytest.skip("refused")
    sample.write(tmp_path / sample.name)
    with caching_in(tmp_path / ".cache"):
        ends = list(fuzz.read(sample, tmp_path / sample.name, more=False))
    assert {end for end, _ in ends} == {"read"}, ends


def test_a_mutation_is_what_its_number_says(tmp_path: Path) -> None:
    def made(name: str) -> dict[str, bytes]:
        fuzz.lay_out(7, 3, tmp_path / "sound", tmp_path / name)
        files = (path for path in (tmp_path / name).rglob("*") if path.is_file())
        return {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in files}

    first = made("a")
    assert made("b") == first
    other = next(number for number in range(4, 999) if fuzz.sample_of(7, number) == fuzz.sample_of(7, 3))
    fuzz.lay_out(7, other, tmp_path / "sound", tmp_path / "c")
    files = [path for path in (tmp_path / "c").rglob("*") if path.is_file()]
    assert {path.read_bytes() for path in files} != set(first.values())


def check(numbers: Sequence[int]) -> None:
    found = fuzz.run(_SEED, numbers)
    assert [one for one in found if one.bad] == []
    ends = Counter(end for one in found for end in one.ends)
    assert len(ends) > 5, ends
    assert 0.1 < ends["read"] / ends.total() < 0.9


def test_some_mutations() -> None:
    quick = [number for number in range(200) if fuzz.sample_of(_SEED, number).name not in _SLOW]
    check(quick[:40])


@pytest.mark.slow
def test_many_mutations() -> None:
    check(range(1000))
