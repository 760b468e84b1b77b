"""What a kind of data consists of: its line in the table, its modules, and what commands ask of them.

A new kind is a folder of `snnctl/data`, a line in `snnctl.data.kinds.KINDS`, and its components in
`snnctl.core.catalog.DATA`. A kind whose sets lie in files has these modules:

- `component`: the data components, of `DataSource`; what they load is in `dataset`, of `Dataset`;
- `readers`: a module for each format;
- `known`: `KNOWN`, the sets that have a name, of `Known`;
- `store`: `STORE`, how a set is kept in the cache, a `Store`;
- `prepare`: `prepare` makes a named set ready, `look_into`, where `data info NAME`
  shall work.
"""

from __future__ import annotations

import importlib
import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import snnctl.data
from snnctl.core.catalog import DATA
from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.base import DataSource
from snnctl.data.cache import Manifest, Store
from snnctl.data.kinds import KINDS, DataKind, kind_of, known_names
from snnctl.data.known import Known

ROOM = Path(snnctl.data.__file__).parent
NAMED = [kind for kind in KINDS if kind.named]


def by_folder(kind: DataKind) -> str:
    return kind.folder


def module(kind: DataKind, name: str) -> Any:
    return importlib.import_module(f"snnctl.data.{kind.folder}.{name}")


def test_every_folder_and_every_component_has_one_kind() -> None:
    folders = {path.name for path in ROOM.iterdir() if (path / "__init__.py").is_file()}
    assert {kind.folder for kind in KINDS} == folders
    own = {name for name in DATA.names() if DATA.source(name) == "snnctl"}
    assert Counter(name for kind in KINDS for name in kind.components) == Counter(own)


@pytest.mark.parametrize("kind", KINDS, ids=by_folder)
def test_components_keep_the_contract(kind: DataKind) -> None:
    for name in kind.components:
        component = DATA.get(name)
        assert component.__module__.startswith(f"snnctl.data.{kind.folder}."), name
        assert issubclass(component, DataSource)
        assert component.gives in ("series", "classes", "step_classes", "video")


@pytest.mark.parametrize("kind", NAMED, ids=by_folder)
def test_modules_and_what_is_in_them(kind: DataKind) -> None:
    for name in ("component", "dataset", "readers", "known", "store", "prepare"):
        assert (module(kind, name).__doc__ or "").strip(), name
    store = module(kind, "store").STORE
    assert isinstance(store, Store)
    assert issubclass(store.manifest, Manifest)
    prepare = module(kind, "prepare")
    assert (
        list(inspect.signature(prepare.prepare).parameters)
        == ["name", "source", "progress", "encoding"][: 3 + kind.texts]
    )
    assert callable(getattr(prepare, "look_into", None)) == kind.info


def test_no_two_kinds_share_a_place_or_a_name() -> None:
    assert max(Counter(module(kind, "store").STORE.folder for kind in NAMED).values()) == 1
    assert max(Counter(known_names()).values()) == 1


@pytest.mark.parametrize("kind", NAMED, ids=by_folder)
def test_named_sets(kind: DataKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, known in kind.known.items():
        assert isinstance(known, Known)
        assert known.name == name
        assert known.summary
        assert known.licence
        assert known.command.startswith(f"snnctl data prep {name}")
        assert kind_of(name) is kind
        assert not kind.is_prepared(name)
        if not known.fetchable:
            with pytest.raises(DiagnosticError) as caught:
                kind.prepare(name)
            (problem,) = caught.value.diagnostics
            assert problem.code == "D101"
            assert known.command in problem.help
        if not getattr(known, "builtin", False):
            with pytest.raises(DiagnosticError, match="D101"):
                kind.prepare(name, tmp_path / "nowhere")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
