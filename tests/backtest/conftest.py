"""One tiny run of each kind of series, trained once, with its table beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from serving.forecast_runs import KINDS, write

import snnctl


@pytest.fixture(scope="session", params=KINDS)
def kind_of_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Kind, and the folder that holds `table.csv`, `small.yaml` and `run`."""
    folder = tmp_path_factory.mktemp(request.param)
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", lambda _: None)
    with pytest.warns(UserWarning, match="D242") if request.param == "holed" else patch.context():
        snnctl.train(write(folder, request.param), out=folder / "run", device="cpu")
    patch.undo()
    return request.param, folder


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on two columns; `small.yaml` lies beside it."""
    folder = tmp_path_factory.mktemp("plain-run")
    snnctl.train(write(folder, "plain"), out=folder / "run", device="cpu")
    return folder
