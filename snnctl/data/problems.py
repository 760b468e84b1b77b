"""Data diagnostics: D1xx a file, D2xx what stands in it, R31x a recipe that does not fit it.

D101 not found, D102 empty, D103 not text, D104 unreadable, D105 unknown format, D106 key inside the file,
D107 not the expected data, D108 download, D109 damaged cache, D110 a library is missing.
D201 ragged rows, D202 not a number, D203 no numeric column, D204 unknown column, D205 infinite value,
D206 nothing observed, D207 missing values refused, D208 no dates, D209 not two-dimensional.
D210 no column of texts, D211 none of labels, D212 a label that train lacks, D213 one class, D214 a class too small.
D220 no picture, D221 pictures of different sizes, D222 no labelled items, D223 a class that train lacks,
D224 no events.
D225 not the layout of spikes in HDF5, D226 spikes, units, classes or speakers do not match, D227 a time of no spike.
D228 no recordings of that kind of sound.
D230 no video, or other axes or names than a video has, D231 values that are no pixels, D232 fewer bytes than announced,
D233 clips too short.
R310 window and horizon against the series, R311 split against the series, R312 a split without a window.
R320 an empty split, R321 events without a number of frames, R323 speakers, R324 channels against units.
R330 frames against clips, R331 a digit against the canvas, R332 frames too small for a metric, R333 axes not declared.
"""

from __future__ import annotations

from pathlib import Path

from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def data_error(
    code: str,
    message: str,
    *,
    file: Path | str = "",
    line: int = 0,
    path: str = "data.source",
    help: str = "",
    notes: tuple[str, ...] = (),
) -> DiagnosticError:
    """One data problem as an exception, located in the data file and at the recipe key that names it."""
    return DiagnosticError(Diagnostic(code, message, file=str(file), line=line, path=path, help=help, notes=notes))


def unreadable(path: Path, kind: str, error: BaseException, key: str = "data.source") -> DiagnosticError:
    """D104 for a file that a library could not read as `kind`: with the first line of what it says."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return data_error("D104", f"cannot be read{' as ' * bool(kind)}{kind}: {text}", file=path, path=key)
