"""The published grid on texts: every cell is there, cells of a row differ by position alone, sizes as printed."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from snnctl.build import build_network
from snnctl.core.shapes import SignalSpec
from snnctl.recipe import load_recipe
from snnctl.recipe.shipped import shipped_folder

GRID = shipped_folder() / "text" / "grid"
SETS = {"mr": 2, "sst2": 2, "sst5": 5, "subj": 2, "chnsenti": 2, "waimai": 2}
POSITIONS = ("none", "random", "sinusoid", "cpg")
CELLS = list(product(SETS, POSITIONS))


def path_of(source: str, position: str) -> Path:
    return GRID / f"text_{position}_{source}.yaml"


def test_every_cell_and_no_other() -> None:
    assert {path_of(*cell) for cell in CELLS} == set(GRID.iterdir())


@pytest.mark.parametrize(("source", "position"), CELLS)
def test_the_protocol(source: str, position: str) -> None:
    values = load_recipe(path_of(source, position)).values
    model, data = values["model"], values["data"]
    chinese = source in ("chnsenti", "waimai")
    assert (data["source"], data["length"]) == (source, 32 if chinese else 128)
    assert data["tokenizer"]["type"] == ("character" if chinese else "word")
    assert (model["type"], model["dim"], model["depth"], model["hidden"]) == ("spikformer", 768, 12, 3072)
    assert model["position"]["type"] == position
    assert model["neuron"]["surrogate"]["type"] == "atan"
    optim = values["optim"]
    assert (optim["type"], optim["lr"], optim["weight_decay"]) == ("adamw", 5e-4, 5e-3)
    assert (values["schedule"]["type"], values["train"]["batch_size"]) == ("cosine", 32)

    def rest(which: str) -> dict[str, Any]:
        other = load_recipe(path_of(source, which)).values
        return {**other, "name": "", "summary": "", "model": {**other["model"], "position": {}}}

    assert rest(position) == rest("none")


@pytest.mark.parametrize(("position", "published"), [("none", 109.8e6), ("cpg", 110.4e6)])
def test_parameters_are_near_the_printed_ones(position: str, published: float) -> None:
    """With BERT's 30,522 word pieces and the padding; the first layer here is 768 x 768 with and without a code."""
    signal = SignalSpec(0, 128, 30523, kind="tokens", ragged=True)
    with torch.device("meta"):
        network = build_network(load_recipe(path_of("mr", position)), signal, 2)
    found = sum(parameter.numel() for parameter in network.parameters())
    dim, hidden = 768, 3072
    block = 4 * (dim * dim + dim) + 2 * dim * hidden + dim + hidden + 2 * (4 * dim + dim + hidden)
    code = 40 * dim if position == "cpg" else 0
    by_hand = 30523 * dim + 2 * dim + (dim * dim + dim + 2 * dim) + code + 12 * block + 2 * dim + 2
    assert found == by_hand
    assert abs(found - published) < 0.012 * published
