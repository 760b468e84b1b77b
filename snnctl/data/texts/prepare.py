"""Getting a named set of texts ready: fetch or copy, verify, keep as JSON lines with a manifest of checksums."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.problems import data_error
from snnctl.data.series.store import StoredFile, cache_dir, sha256_file
from snnctl.data.texts.known import KNOWN_TEXTS, KnownTexts
from snnctl.data.texts.readers.files import TextOptions, numbered
from snnctl.data.texts.readers.folder import read_place
from snnctl.data.texts.readers.hub import fetch
from snnctl.data.texts.source import WHOLE, Part, Parts

SCHEMA = 1
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class TextManifest:
    """What a prepared set is and where it came from.

    Args:
        name: the known name.
        source: hub name or path it was made from.
        files: by name.
        sizes: texts in each part.
        empty: texts without a character.
        created: UTC, ISO 8601.
    """

    name: str
    source: str
    files: dict[str, StoredFile]
    sizes: dict[str, int]
    empty: int
    created: str
    schema: int = SCHEMA


def prepare_texts(name: str, source: Path | None, cache: Path | None) -> tuple[TextManifest, Path, bool]:
    """Make the set `name` ready; its manifest, its folder, and whether this call made it.

    Raises:
        DiagnosticError: D101 no such file, D107 not the expected texts, D108 not to be had, D104 no room in the cache.
    """
    known, folder = KNOWN_TEXTS[name], _folder(name, cache)
    try:
        return _checked(known, folder, verify=True), folder, False
    except DiagnosticError:
        pass  # absent or damaged: made anew
    parts = fetch(known) if source is None else read_place(source, TextOptions())
    named = {part: _named(texts, known, str(source or known.hub)) for part, texts in parts.items()}
    _check_sizes(known, named, str(source or known.hub))
    return _write(known, named, str(source or known.hub), folder), folder, True


def read_prepared(name: str, cache: Path | None = None) -> Parts:
    """The parts of a prepared set.

    Raises:
        DiagnosticError: D101 not prepared, D109 damaged.
    """
    known, folder = KNOWN_TEXTS[name], _folder(name, cache)
    manifest = _checked(known, folder, verify=False)
    parts = {}
    for part in manifest.sizes:
        try:
            lines = (folder / f"{part}.jsonl").read_text(encoding="utf-8").split("\n")
            pairs = [json.loads(line) for line in lines if line]
            texts, labels = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
        except (OSError, ValueError, IndexError, TypeError) as error:
            raise _damaged(known, folder, str(error)) from error
        parts[part] = Part(texts, labels, known.labels)
    return parts


def has_texts(name: str, cache: Path | None = None) -> bool:
    """Whether the set `name` lies in the cache with all its files."""
    try:
        _checked(KNOWN_TEXTS[name], _folder(name, cache), verify=False)
    except DiagnosticError:
        return False
    return True


def _folder(name: str, cache: Path | None) -> Path:
    return (cache or cache_dir()) / "texts" / name


def _checked(known: KnownTexts, folder: Path, *, verify: bool) -> TextManifest:
    path = folder / _MANIFEST
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = {key: StoredFile(**entry) for key, entry in document.pop("files").items()}
        manifest = TextManifest(**document, files=files)
        if (manifest.schema, manifest.name) != (SCHEMA, known.name):
            raise ValueError(f"schema {manifest.schema}, name {manifest.name}")
    except FileNotFoundError:
        message = f"the texts `{known.name}` are not prepared"
        help = f"run: {known.command}  (or: {known.command} --from PATH, for a copy of {known.hub})"
        raise data_error("D101", message, help=help) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(known, path, f"the manifest cannot be understood ({error})") from error
    for file, stored in manifest.files.items():
        at = folder / file
        if not at.is_file() or at.stat().st_size != stored.bytes or (verify and sha256_file(at) != stored.sha256):
            raise _damaged(known, at, f"{file} is not as it was written")
    return manifest


def _damaged(known: KnownTexts, path: Path, what: str) -> DiagnosticError:
    help = f"prepare them again: {known.command}"
    return data_error("D109", f"the prepared texts `{known.name}` are damaged: {what}", file=path, help=help)


def _named(part: Part, known: KnownTexts, source: str) -> Part:
    """The labels by name: numbers count the names, and names stay."""
    by_number = {str(i): name for i, name in enumerate(known.labels)} | {name: name for name in known.labels}
    short = {name[:3]: name for name in known.labels if len({n[:3] for n in known.labels}) == len(known.labels)}
    by_number |= {key: name for key, name in short.items() if key not in by_number}  # pos, neg
    strange = sorted({label for label in part.labels if label not in by_number})
    if strange:
        shown = ", ".join(f"`{label}`" for label in numbered(strange[:5]))
        help = "to use these texts all the same, give their path as `data.source`"
        raise data_error("D107", f"labels {shown} are none of `{known.name}`", file=source, help=help)
    return Part(part.texts, tuple(by_number[label] for label in part.labels), known.labels)


def _check_sizes(known: KnownTexts, parts: Parts, source: str) -> None:
    found = {name: len(part) for name, part in parts.items()}
    if known.sizes and found != dict(known.sizes):
        message = f"the texts are {_words(found)}; a genuine `{known.name}` has {_words(known.sizes)}"
        help = "to use them all the same, give their path as `data.source`"
        raise data_error("D107", message, file=source, help=help)


def _words(sizes: Any) -> str:
    return ", ".join(f"{count:,}" + ("" if name == WHOLE else f" {name}") for name, count in sizes.items())


def _write(known: KnownTexts, parts: Parts, source: str, folder: Path) -> TextManifest:
    """All files in one rename."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".prep-", dir=folder.parent))
    except OSError as error:
        help = "set XDG_CACHE_HOME to a folder that can be written"
        raise data_error("D104", f"the cache cannot be written: {error}", file=folder, path="", help=help) from error
    try:
        ready = scratch / known.name
        ready.mkdir()
        for name, part in parts.items():
            rows = (json.dumps(pair, ensure_ascii=False) for pair in zip(part.texts, part.labels, strict=True))
            (ready / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
        manifest = TextManifest(
            name=known.name,
            source=source,
            files={p.name: StoredFile(p.stat().st_size, sha256_file(p)) for p in sorted(ready.iterdir())},
            sizes={name: len(part) for name, part in parts.items()},
            empty=sum(not text.strip() for part in parts.values() for text in part.texts),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        text = json.dumps(asdict(manifest), indent=2) + "\n"
        (ready / _MANIFEST).write_text(text, encoding="utf-8")
        if folder.exists():
            os.replace(folder, scratch / "old")
        os.replace(ready, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest
