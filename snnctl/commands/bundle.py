"""A run as one archive that can be handed on, and what such an archive says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snnctl.commands.listener import NOBODY, Listener
from snnctl.export import bundle as bundles
from snnctl.finished import open_run
from snnctl.serving.bundle import read_bundle


def export(
    run: Path | str,
    out: Path | str | None = None,
    licence: str | None = None,
    costs: str | None = None,
    *,
    allow_plugins: bool = True,
    listener: Listener = NOBODY,
) -> dict[str, Any]:
    """Write a bundle: the best weights, the recipe, what the run remembers of its data, and a card.

    Args:
        out: the file; None: `RUN/export/NAME.snnctl`.
        licence: one line for the card, such as an SPDX identifier; None: nothing is stated.
        costs: tables to estimate the energy under first, as of `snnctl energy`, which reads the data; None: what was
            estimated before goes into the card, or nothing.

    Returns:
        `file`, `format`, `bytes`, `sha256` of the whole, `members` with theirs, `tensors` that were read back and
        compared, `card`.

    Raises:
        DiagnosticError: as `snnctl.export.bundle.bundle`; with `costs` as `snnctl.commands.energy.energy`.
    """
    bundles.check_licence(licence)
    opened = open_run(run, allow_plugins=allow_plugins, warn=listener.warn)
    path = bundles.default_path(opened) if out is None else Path(out)
    estimate = None
    if costs is not None:
        from snnctl.commands.energy import energy  # with all that draws, which nothing else here needs

        estimate = energy(run, costs=costs, allow_plugins=allow_plugins, listener=listener)
    return bundles.bundle(opened, path, licence=licence, energy=estimate, warn=listener.warn).document()


def show(path: Path | str) -> dict[str, Any]:
    """What a bundle says of itself; every member is held against its digest, nothing is loaded.

    Returns:
        `file`, `sha256` of the whole, `manifest`, `card`, and `text`, the card in Markdown.

    Raises:
        DiagnosticError: as `snnctl.serving.bundle.read_bundle`.
    """
    found = read_bundle(Path(path))
    return {
        "file": str(path),
        "sha256": found.sha256,
        "manifest": found.manifest,
        "card": found.card,
        "text": found.text,
    }
