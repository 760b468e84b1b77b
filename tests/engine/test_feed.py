"""Training batches: in order, made ahead or not, the same either way; what is drawn depends on seed and place."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from snnctl.core.seeds import stream_seed
from snnctl.engine.feed import a_core_is_free, ahead, training_batch


@pytest.mark.parametrize("threaded", [False, True])
def test_jobs_come_in_order(threaded: bool) -> None:
    assert list(ahead(range(7), lambda job: job * job, threaded=threaded)) == [(n, n * n) for n in range(7)]
    assert list(ahead([], str, threaded=threaded)) == []


def test_one_is_made_ahead_and_no_more() -> None:
    made: list[int] = []
    begun = threading.Event()

    def make(job: int) -> int:
        made.append(job)
        if job == 1:
            begun.set()
        return job

    feed = ahead(range(9), make, threaded=True)
    assert next(feed) == (0, 0)
    assert begun.wait(10)  # the second is made while the first is in use
    assert made == [0, 1]
    feed.close()
    assert made == [0, 1]


@pytest.mark.parametrize("threaded", [False, True])
def test_a_failure_arrives_where_the_batch_is_used(threaded: bool) -> None:
    def make(job: int) -> int:
        if job == 2:
            raise ValueError("no such item")
        return job

    feed = ahead(range(5), make, threaded=threaded)
    assert [next(feed), next(feed)] == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="no such item"):
        next(feed)


@dataclass
class Drawing:
    seen: list[tuple[list[int], int, int]] = field(default_factory=list)

    def training_batch(self, indices: Tensor, seed: int, epoch: int) -> str:
        self.seen.append((indices.tolist(), seed, epoch))
        return "augmented"

    def batch(self, indices: Tensor) -> str:
        return "as it is"


def test_what_is_drawn_depends_on_seed_epoch_and_place() -> None:
    split = Drawing()
    places = [(1, 0, 0, 0), (1, 0, 1, 0), (1, 1, 0, 0), (2, 0, 0, 0), (1, 0, 0, 1)]
    for seed, epoch, number, rank in places:
        assert training_batch(split, torch.arange(2), seed, epoch, number, rank) == "augmented"
    seeds = [seed for _, seed, _ in split.seen]
    assert len(set(seeds)) == len(places)
    assert seeds[0] == stream_seed(1, "augment", 0, 0, 0)
    assert [epoch for _, _, epoch in split.seen] == [0, 0, 1, 0, 0]


def test_data_that_does_not_augment() -> None:
    class Plain:
        def batch(self, indices: Tensor) -> list[int]:
            found: list[int] = indices.tolist()
            return found

    assert training_batch(Plain(), torch.tensor([3, 1]), 0, 0, 0) == [3, 1]


def test_a_core_is_free_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    for threads, free in ((1, True), (2, False)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert a_core_is_free(torch.device("cpu")) is free
        assert a_core_is_free(torch.device("cuda"))


RECIPE = """
schema: 1
name: tiny-images
task: {type: classification, baselines: []}
data: {type: image, source: SOURCE, val: 6, augment: {crop: 2, flip: true, erase: 0.5, mixup: 0.5, mix_until: 1}}
encoder: {type: patch_split, dim: 8, stages: 2, pools: [1, 2], norm_gain: 2.0}
model: {type: spikformer, dim: 8, depth: 1, heads: 2, embed: needed, position: conv}
optim: adam
train: {epochs: 2, batch_size: 8, seed: 3}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import numpy as np

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    labels = np.arange(30) % 3
    images = random.integers(0, 100, (30, 8, 8, 3)) + 50 * labels[:, None, None, None]
    np.savez(tmp_path / "set.npz", images=images.astype(np.uint8), labels=labels)
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE.replace("SOURCE", str(tmp_path / "set.npz")))
    return path


def trained(recipe: Path, out: Path, **sets: Any) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    from snnctl.cli.app import run

    words = [word for key, value in sets.items() for word in ("--set", f"train.{key}={value}")]
    assert run(["--quiet", "train", str(recipe), "--out", str(out), *words]) == 0
    return load_file(next(out.rglob("last/weights.safetensors")))


def test_training_is_the_same_with_and_without_a_thread(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for threaded in (False, True):
        monkeypatch.setattr("snnctl.engine.loop.a_core_is_free", lambda _, threaded=threaded: threaded)
        found.append(trained(recipe, tmp_path / f"run{threaded}"))
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    other = trained(recipe, tmp_path / "other", seed=4)
    assert any(not torch.equal(found[0][name], other[name]) for name in other)
