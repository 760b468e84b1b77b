"""Plug-in files: one Python file that registers components of its own.

Loading a plug-in runs its code; its SHA-256 goes into the run's manifest.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError


@dataclass(frozen=True)
class Plugin:
    """A loaded plug-in file and the components it registered."""

    path: str
    sha256: str
    components: tuple[str, ...]


_loaded: dict[str, Plugin] = {}


def load_plugin(path: Path) -> Plugin:
    """Run the file once per content and process, and note what it registers.

    Raises:
        DiagnosticError: R121 not found, R122 its code failed (with the line), R124 it registers nothing.
    """
    name = str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DiagnosticError(Diagnostic("R121", f"plug-in `{name}` cannot be read: {error.strerror}")) from None
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 in _loaded:
        return _loaded[sha256]
    before = {(kind, known) for kind, registry in REGISTRIES.items() for known in registry.names()}
    module_name = f"snnctl_plugin_{path.stem}_{sha256[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise DiagnosticError(Diagnostic("R121", f"plug-in `{name}` is not a Python file", help="name a .py file"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[module_name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise DiagnosticError(_failure(path, error)) from error
    after = {(kind, known) for kind, registry in REGISTRIES.items() for known in registry.names()}
    new = sorted(after - before)
    if not new:
        raise DiagnosticError(
            Diagnostic(
                "R124",
                "plug-in registers no component",
                file=name,
                help='decorate a class, e.g. `@NEURONS.register("my_neuron")`',
            )
        )
    for kind, component in new:
        REGISTRIES[kind].mark_source(component, name)
    plugin = Plugin(name, sha256, tuple(f"{kind}.{component}" for kind, component in new))
    _loaded[sha256] = plugin
    return plugin


def _failure(path: Path, error: BaseException) -> Diagnostic:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, column = error.lineno or 0, error.offset or 0
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line, column = (frames[-1].lineno or 0, 1) if frames else (0, 0)
    text = str(error) if not isinstance(error, SyntaxError) else error.msg
    return Diagnostic(
        "R122", f"plug-in failed: {type(error).__name__}: {text}", file=str(path), line=line, column=column
    )
