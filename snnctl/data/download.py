"""Downloading one file, resumable."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.files import system_fault, writing
from snnctl.data.cache import Progress
from snnctl.data.problems import data_error

TIMEOUT_SECONDS = 30
_CHUNK = 1 << 18


def part_path(url: str, folder: Path) -> Path:
    """Where an unfinished download of `url` waits; another address never continues it."""
    return folder / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}.part"


def download(url: str, folder: Path, *, progress: Progress | None = None, help: str = "") -> Path:
    """Fetch `url` into `folder` and return the complete `.part` file; a later call resumes a broken one.

    Args:
        url: http, https or file.
        folder: made when it is absent.
        progress: called after every chunk.
        help: what the user may do instead, for the error message.

    Raises:
        DiagnosticError: D108, the server or the network failed; E412, there is no room.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    part = part_path(url, folder)
    try:
        _fetch(url, part, progress)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        fault = system_fault(error, part, reading=True)
        if fault is not None:
            raise DiagnosticError(fault) from error
        reason = getattr(error, "reason", None) or error
        notes = (f"{part.stat().st_size} bytes are kept; the next call goes on from there",) if part.exists() else ()
        raise data_error("D108", f"{url} cannot be downloaded: {reason}", notes=notes, help=help) from error
    return part


def _fetch(url: str, part: Path, progress: Progress | None) -> None:
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response: Any = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        # The part is complete or longer than the file: only a fresh start tells which.
        part.unlink()
        _fetch(url, part, progress)
        return
    with response:
        continues = getattr(response, "status", None) == http.HTTPStatus.PARTIAL_CONTENT
        done = start if continues else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if continues else "wb") as stream:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    if total is not None and done != total:
        raise OSError(f"the connection closed after {done} of {total} bytes")
