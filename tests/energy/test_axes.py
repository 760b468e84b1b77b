"""Axes of time and samples against tensors that carry their own step and sample in their values."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnctl.energy.count.ledger import by_step_and_sample
from snnctl.energy.count.signals import Axes, Axis, permuted, reshaped

T, B = 3, 4


def marked(*rest: int) -> torch.Tensor:
    """[T, B, *rest] whose values are 10 * step + sample."""
    step = torch.arange(T).view(T, 1, *[1] * len(rest)) * 10
    sample = torch.arange(B).view(1, B, *[1] * len(rest))
    return (step + sample).expand(T, B, *rest).contiguous()


START = Axes(Axis(0, T), Axis(1, B))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_views_keep_steps_and_samples_apart(data: st.DataObject) -> None:
    x = marked(2, 6)
    axes = START
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            order = data.draw(st.permutations(range(x.dim())))
            x, axes = x.permute(order), permuted(axes, order)
        else:
            dims = data.draw(st.sampled_from([s for s in SHAPES if math.prod(s) == x.numel()]))
            axes = reshaped(axes, list(x.shape), dims)
            x = x.reshape(dims)
    for axis, values in ((axes.time, x // 10), (axes.sample, x % 10)):
        if axis is not None:  # forgotten is allowed, wrong is not
            index = torch.arange(x.shape[axis.dim]) // axis.inner % axis.size
            shape = [1] * x.dim()
            shape[axis.dim] = -1
            assert torch.equal(values, index.view(shape).expand_as(values))


SHAPES = [
    (T, B, 2, 6),
    (T * B, 12),
    (T * B * 2, 6),
    (T, B * 12),
    (T * B, 2, 6),
    (T, B, 12),
    (T, B, 4, 3),
    (T * B * 12,),
    (B, T, 12),
    (2, T * B, 6),
    (T, 2, B, 6),
]


def test_flattening_and_back_forgets_nothing() -> None:
    flat = reshaped(START, (T, B, 2, 6), (T * B * 2, 6))
    assert flat == Axes(Axis(0, T, B * 2), Axis(0, B, 2))
    assert reshaped(flat, (T * B * 2, 6), (T, B, 2, 6)) == START


def test_sums_by_step_and_sample() -> None:
    x = marked(2, 6).double()
    expected = x.sum((2, 3))
    assert torch.equal(by_step_and_sample(x, START), expected)
    swapped = permuted(START, [1, 0, 2, 3])
    assert torch.equal(by_step_and_sample(x.permute(1, 0, 2, 3), swapped), expected)
    flat = reshaped(START, (T, B, 2, 6), (T * B, 12))
    assert torch.equal(by_step_and_sample(x.reshape(T * B, 12), flat), expected)
    assert torch.equal(by_step_and_sample(x[0], Axes(sample=Axis(0, B))), expected[:1])
    assert by_step_and_sample(x, Axes()).item() == x.sum().item()


def test_one_step_of_one_sample_in_a_shared_dimension():
    both = Axis(0, 1)
    assert by_step_and_sample(torch.ones(1, 3), Axes(both, both)).tolist() == [[3.0]]
