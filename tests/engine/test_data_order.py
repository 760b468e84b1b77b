"""Data order and random state: functions of the seed, with no trace in torch's global state."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import Silent, go_on, start, tiny, with_plugin

from snnctl.build import build
from snnctl.core.seeds import STREAMS, stream_seed
from snnctl.engine.dry_run import forecast
from snnctl.engine.feed import batches, epoch_order, steps_per_epoch
from snnctl.engine.loop import Trainer
from snnctl.engine.runtime import Runtime


@given(st.integers(1, 300), st.integers(0, 2**31), st.integers(0, 1000), st.integers(1, 400))
def test_every_item_exactly_once(items: int, seed: int, epoch: int, batch_size: int) -> None:
    order = epoch_order(items, seed, epoch)
    found = list(batches(order, batch_size))
    assert torch.equal(torch.cat(found).sort().values, torch.arange(items))
    assert len(found) == steps_per_epoch(items, batch_size)
    assert all(len(batch) == batch_size for batch in found[:-1])
    assert 1 <= len(found[-1]) <= batch_size
    torch.rand(3)
    assert torch.equal(order, epoch_order(items, seed, epoch))


def test_orders_differ_between_epochs_and_seeds() -> None:
    orders = {tuple(epoch_order(50, seed, epoch).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_steps_per_epoch() -> None:
    assert [steps_per_epoch(n, 32) for n in (1, 31, 32, 33, 64)] == [1, 1, 1, 2, 2]


def test_streams() -> None:
    seeds = {stream_seed(seed, name, epoch) for seed in range(3) for name in STREAMS for epoch in range(3)}
    assert len(seeds) == 9 * len(STREAMS)
    assert all(0 <= seed < 2**63 for seed in seeds)
    # sha256("snnctl/1/order/0"), the first eight bytes without their lowest bit
    assert stream_seed(1, "order", 0) == 8630546151960549594
    with pytest.raises(ValueError, match="unknown seed stream"):
        stream_seed(1, "weather")


def test_global_random_state_is_left_alone(tmp_path: Path) -> None:
    with_plugin(tmp_path, "noisy")
    recipe = tiny(tmp_path, "train.epochs=1")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    experiment = build(recipe)
    assert torch.equal(torch.get_rng_state(), before)
    run = start(recipe, tmp_path / "run")
    Trainer(experiment, run, Silent(), Runtime())
    assert torch.equal(torch.get_rng_state(), before)
    go_on(recipe, run)
    assert torch.equal(torch.get_rng_state(), before)
    forecast(experiment, Runtime())
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_come_from_the_seed_alone(tmp_path: Path) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(torch.randint(1000, ()).item())
        return torch.cat(
            [p.detach().flatten() for p in build(tiny(tmp_path, f"train.seed={seed}")).network.parameters()]
        )

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_two_precisions_in_one_process() -> None:
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp32", torch.float32)):
        runtime = Runtime(precision, "cpu")  # type: ignore[arg-type]
        with runtime.forward_pass():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert (runtime.rank, runtime.world, runtime.is_main) == (0, 1, True)
    assert torch.equal(runtime.my_share(torch.arange(4)), torch.arange(4))


def test_clipping() -> None:
    """Gradients 3 and 4 have norm 5; clipped to 1 they are 0.6 and 0.8 (torch divides by the norm + 1e-6)."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(3)]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0]), torch.tensor([4.0])
    runtime = Runtime("fp32", "cpu")
    assert runtime.clip(parameters, None) == 5.0
    assert parameters[0].grad.item() == 3.0
    assert runtime.clip(parameters, 1.0) == 5.0
    assert parameters[0].grad.item() == pytest.approx(0.6, rel=1e-5)
    assert parameters[1].grad.item() == pytest.approx(0.8, rel=1e-5)
    assert runtime.clip(parameters, 10.0) == pytest.approx(1.0, rel=1e-5)
    assert parameters[1].grad.item() == pytest.approx(0.8, rel=1e-5)
    parameters[0].grad = torch.tensor([float("inf")])
    assert runtime.clip(parameters, 0.1) == float("inf")
    assert parameters[1].grad.item() == pytest.approx(0.8, rel=1e-5)


def test_clipping_is_that_of_torch_on_both_sides_of_the_norm() -> None:
    """Well below it, where nothing has to be multiplied, and about it, where rounding decides."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(5, generator=generator) for _ in range(4)]
    length = float(torch.cat(drawn).norm())
    runtime = Runtime("fp32", "cpu")
    for share in (0.5, 1 - 1e-5, *(1 + n * 2e-7 for n in range(-9, 10)), 1 + 1e-5, 2.0):
        ours, theirs = ([torch.nn.Parameter(torch.zeros(5)) for _ in drawn] for _ in range(2))
        for one, other, gradient in zip(ours, theirs, drawn, strict=True):
            one.grad, other.grad = gradient.clone(), gradient.clone()
        found = runtime.clip(ours, length * share)
        assert found == torch.nn.utils.clip_grad_norm_(theirs, length * share).item()
        assert all(torch.equal(one.grad, other.grad) for one, other in zip(ours, theirs, strict=True))  # type: ignore[arg-type]
