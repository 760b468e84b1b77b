"""Plug-in files: one Python file that registers components of its own.

Loading a plug-in runs its code, which its user must have approved (`snnctl.core.trust`); its SHA-256 goes into the
run's manifest.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import PydanticUserError

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.params import params_model
from snnctl.core.registry import DuplicateComponentError
from snnctl.core.trust import read, refuse_unapproved


@dataclass(frozen=True)
class Plugin:
    """A loaded plug-in file and the components it registered."""

    path: str
    sha256: str
    components: tuple[str, ...]


_loaded: dict[str, Plugin] = {}


def load_plugin(path: Path, *, trusted: bool = False) -> Plugin:
    """Run the file once per content and process, and note what it registers.

    Args:
        trusted: who calls has named the file themselves, and is not asked for it.

    Raises:
        DiagnosticError: R121 not found, R122 its code failed (with the line), R124 it registers nothing,
            R125 a name that is taken, R126 a signature that makes no schema, R127 nobody has approved it.
    """
    name = str(path)
    content = read(path)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 in _loaded:
        return replace(_loaded[sha256], path=name)
    if path.suffix == ".py" and not trusted:
        refuse_unapproved(path, content)
    before = _registered()
    module_name = f"snnctl_plugin_{path.stem}_{sha256[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or path.suffix != ".py":
        raise DiagnosticError(Diagnostic("R121", f"plug-in `{name}` is not a Python file", help="name a .py file"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results
            # What was approved is run: not what the file holds by now, nor bytecode that lies beside it.
            exec(compile(content, name, "exec", dont_inherit=True), vars(module))
        new = sorted(_registered() - before)
        for kind, component in new:
            _check_signature(kind, component, name)
    except BaseException as error:
        sys.modules.pop(module_name, None)
        for kind, component in _registered() - before:
            REGISTRIES[kind].forget(component)
        if isinstance(error, KeyboardInterrupt | DiagnosticError):
            raise
        raise DiagnosticError(_failure(path, error)) from error
    if not new:
        help = 'decorate a class, e.g. `@NEURONS.register("my_neuron")`'
        raise DiagnosticError(Diagnostic("R124", file=name, help=help))
    for kind, component in new:
        REGISTRIES[kind].mark_source(component, name)
    plugin = Plugin(name, sha256, tuple(f"{kind}.{component}" for kind, component in new))
    _loaded[sha256] = plugin
    return plugin


def loaded_digests() -> frozenset[str]:
    """SHA-256 of the plug-ins that are loaded."""
    return frozenset(_loaded)


def _check_signature(kind: str, name: str, file: str) -> None:
    """The recipe's schema comes from the constructor; say so here if it cannot."""
    component = REGISTRIES[kind].get(name)
    try:
        params_model(component)
    except Exception as error:
        # pydantic's own words are about its configuration.
        why = "an annotation is no type of plain values" if isinstance(error, PydanticUserError) else str(error)
        message = f"the signature of {kind} `{name}` makes no schema: {why}"
        line = inspect.getsourcelines(component)[1]
        help = "annotate each keyword-only parameter, e.g. `tau: Annotated[float, Gt(1.0)] = 2.0`"
        raise DiagnosticError(Diagnostic("R126", message, file=file, line=line, column=1, help=help)) from error


def _registered() -> set[tuple[str, str]]:
    return {(kind, name) for kind, registry in REGISTRIES.items() for name in registry.names()}


@contextmanager
def plugins_for_now() -> Iterator[None]:
    """Take out on leaving what is loaded inside, so that recipes do not see each other's plug-ins."""
    before = set(_loaded)
    try:
        yield
    finally:
        for sha256 in set(_loaded) - before:
            for component in _loaded.pop(sha256).components:
                kind, _, name = component.partition(".")
                REGISTRIES[kind].forget(name)


def _failure(path: Path, error: BaseException) -> Diagnostic:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, column = error.lineno or 0, error.offset or 0
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line, column = (frames[-1].lineno or 0, 1) if frames else (0, 0)
    if isinstance(error, DuplicateComponentError):
        message = f"{error.kind} `{error.name}` exists already, from {error.owner}"
        help = "register it under another name"
        return Diagnostic("R125", message, file=str(path), line=line, column=column, help=help)
    text = str(error) if not isinstance(error, SyntaxError) else error.msg
    message = f"plug-in failed: {type(error).__name__}: {' '.join(text.split())}".rstrip(": ")
    return Diagnostic("R122", message, file=str(path), line=line, column=column)
