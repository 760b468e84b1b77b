import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.energy.price.sections import KIB, MIB, ram_a, ram_b, ram_c

SIZES = st.floats(0, 4 * MIB)


@pytest.mark.parametrize(
    ("kib", "pj"), [(0, 0), (4, 5), (8, 10), (20, 15), (32, 20), (528, 60), (1024, 100), (2048, 100)]
)
def test_piecewise_linear(kib: int, pj: float):
    assert ram_a(kib * KIB) == pytest.approx(pj, abs=1e-12)


@given(SIZES, SIZES)
@settings(max_examples=100, deadline=None)
def test_never_cheaper_when_larger(a: float, b: float):
    small, large = sorted((a, b))
    assert ram_a(small) <= ram_a(large)


@given(st.floats(0, 2 * MIB))
@settings(max_examples=100, deadline=None)
def test_one_byte_more_costs_hardly_more(size: float):
    # the steepest segment is the first: 10 pJ over 8 KiB; a jump at a joint would show
    assert ram_a(size + 1) - ram_a(size) <= 10 / (8 * KIB) + 1e-9


@pytest.mark.parametrize(("size", "pj"), [(8 * KIB, 13.914), (32 * KIB, 16.057), (MIB, 104.636)])
def test_affine(size: int, pj: float):
    assert round(ram_b(size, 8), 3) == pj  # elements of one byte
    assert ram_b(size / 4, 32) == pytest.approx(ram_b(size, 8))


@pytest.mark.parametrize(("bits", "pj"), [(8, 1.25), (16, 2.5), (32, 5), (64, 10), (24, 5), (65, 20)])
def test_blocks(bits: int, pj: float):
    assert ram_c(bits) == pj
