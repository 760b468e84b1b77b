"""The cache: its folder, checksums, and the sets in it, each a folder of files with a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.files import home, system_fault
from snnctl.core.owned import locked, ownerless
from snnctl.data.problems import data_error

Progress = Callable[[int, int | None], None]  # bytes done, and in all where that is known
_CHUNK = 1 << 20
_SCRATCH, _OLD = ".take-in-", ".old"
_SMALL = 1 << 18  # bytes of a file whose checksum takes less than a millisecond
_chosen: ContextVar[Path | None] = ContextVar("chosen", default=None)


@contextmanager
def caching_in(folder: Path | None) -> Iterator[None]:
    """`cache_dir` is `folder` within; None leaves it as it is."""
    token = _chosen.set(_chosen.get() if folder is None else folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/snnctl`, or `~/.cache/snnctl`; another folder within `caching_in`."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else home() / ".cache") / "snnctl"


def sha256_file(path: Path, progress: Progress | None = None) -> str:
    """SHA-256 hex of a file."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    return digest.hexdigest()


def sha256_of(facts: object, pieces: Iterable[bytes]) -> str:
    """SHA-256 hex over how `facts` are written in Python, and some bytes."""
    digest = hashlib.sha256(repr(facts).encode())
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


MANIFEST = "manifest.json"
Item = TypeVar("Item")
M = TypeVar("M", bound="Manifest")


@dataclass(frozen=True)
class Part(Generic[Item]):
    """One part of a source, as its makers cut it.

    Args:
        name: `train`, `val`, `test`, or `all` for a source that is not cut.
        count: how many the kind counts: pictures, recordings, frames.
        items: gives them, one or some at a time, in an order that is always the same.
    """

    name: str
    count: int
    items: Callable[[], Iterator[Item]]


@dataclass(frozen=True)
class Source(Generic[Item]):
    """What a reader has found, before it is taken into the cache.

    Args:
        parts: names are unique.
        origin: what a message calls it.
        format: how it is stored ("folder", "idx", ...).
        licence: as its makers state it; "" where nothing is known.
        classes: names, in the order of their indices; empty where there are none.
        speakers: names, in the order of their numbers; empty where nobody speaks or has one.
        findings: what reading its items has shown, as a document; asked for once all were given.
    """

    parts: tuple[Part[Item], ...]
    origin: str
    format: str
    licence: str = ""
    classes: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    findings: Callable[[], Mapping[str, Any]] = dict

    def told(self, key: str) -> dict[str, Any]:
        """What a `KeyedManifest` repeats of it."""
        head = {"key": key, "origin": self.origin, "format": self.format, "licence": self.licence}
        return head | {"found": dict(self.findings())}


@dataclass(frozen=True)
class StoredFile:
    """Size and checksum of one file of a set."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What every set tells of itself. The name of its folder stands there as `key` or as `name`.

    Args:
        files: of the folder, by name.
        created: UTC, ISO 8601.
        schema: of the manifest; sets of another one are made anew.
    """

    files: dict[str, StoredFile] = field(default_factory=dict)
    created: str = ""
    schema: int = 1

    @property
    def bytes(self) -> int:
        """On disk."""
        return sum(stored.bytes for stored in self.files.values())

    def checksums(self) -> list[tuple[str, str]]:
        """(name, SHA-256 hex) of every file, for fingerprints."""
        return sorted((name, stored.sha256) for name, stored in self.files.items())


@dataclass(frozen=True, kw_only=True)
class KeyedManifest(Manifest):
    """Of a set that was decoded in one of several ways, which its key tells apart.

    Args:
        key: name of its folder, see `key_of`.
        origin: the file, folder, name or id it was made from.
        format: of the origin.
        licence: as the source states it.
        found: what reading it has found, for people; no part of fingerprints.
    """

    key: str
    origin: str
    format: str
    licence: str
    found: dict[str, Any] = field(default_factory=dict)


def key_of(name: str, *settings: object) -> str:
    """The folder of a set: its name, and what its content depends on as a digest."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(name).name)[:40]
    return f"{stem or 'set'}-{digest}"


class DamagedError(Exception):
    """A set that lies in the cache is not what was written.

    Args:
        path: the file that is wrong.
        what: is wrong with it.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path.name} {what}")
        self.path, self.what = path, what


@dataclass(frozen=True)
class Store(Generic[M]):
    """All sets of one kind.

    Args:
        folder: of the cache that they lie in; "" = the cache itself.
        manifest: what each tells of itself.
        named: the key of a set that has a name, taken as recipes take it by default.
    """

    folder: str
    manifest: type[M]
    named: Callable[[str], str] = str

    def path(self, key: str = "") -> Path:
        """Where the set `key` lies, or all of them."""
        return cache_dir() / self.folder / key

    def read(self, key: str, *, verify: bool = False) -> M | None:
        """The manifest of a set, once its files were seen to be there in their sizes; None where there is no set.

        Args:
            verify: whether checksums of large files are compared as well; those of small ones always are.

        Raises:
            DamagedError: the manifest cannot be understood, or a file is not as it was written.
        """
        folder = self.path(key)
        path = folder / MANIFEST
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            schema, name = document["schema"], document.get("key", document.get("name"))
            if (schema, name) != (self.manifest.schema, key):
                raise ValueError(f"schema {schema}, name {name}")
            files = {name: StoredFile(**entry) for name, entry in document.pop("files").items()}
            found = self.manifest(**document, files=files)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedError(path, f"the manifest cannot be understood ({error})") from error
        for name, stored in found.files.items():
            path = folder / name
            if not path.is_file():
                raise DamagedError(path, "is missing")
            if path.stat().st_size != stored.bytes:
                raise DamagedError(path, f"has {path.stat().st_size} bytes, not {stored.bytes}")
            if (verify or stored.bytes <= _SMALL) and sha256_file(path) != stored.sha256:
                raise DamagedError(path, "does not match its checksum")
        return found

    def sound(self, key: str, *, verify: bool = False) -> M | None:
        """As `read`; None for a damaged set, too."""
        try:
            return self.read(key, verify=verify)
        except DamagedError:
            return None

    def write(self, key: str, fill: Callable[[Path], M]) -> M:
        """Make the set `key`; one that lies there already is replaced.

        Args:
            fill: writes all files into the folder that it is given, and returns the manifest; what that tells of files
                and time is filled in here.

        Raises:
            DiagnosticError: D104, the cache cannot be written; or what `fill` raises.
        """
        folder = self.path(key)
        root = folder.parent
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._recover(root)
            scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=root))
        except OSError as error:
            raise _unwritable(root, error) from error
        lock = locked(scratch)
        try:
            ready = scratch / folder.name
            ready.mkdir()
            manifest = fill(ready)
            manifest = replace(
                manifest, files=_files_in(ready), created=datetime.now(UTC).isoformat(timespec="seconds")
            )
            text = json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"
            (ready / MANIFEST).write_text(text, encoding="utf-8")
            if folder.exists():
                os.replace(folder, scratch / _OLD)
            try:
                os.replace(ready, folder)
            except OSError:
                if self.sound(key) is None:  # else another process was faster; its copy serves as well
                    raise
        except OSError as error:
            raise _unwritable(root, error) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            if lock:
                os.close(lock)
        return manifest

    def _recover(self, root: Path) -> None:
        """Take away what kills have left; a set that was complete but for its place takes it."""
        for left in ownerless(root, f"{_SCRATCH}*"):
            for ready in sorted(left.glob(f"*/{MANIFEST}")):
                place = root / ready.parent.name
                if ready.parent.name != _OLD and not place.exists():
                    os.replace(ready.parent, place)
            shutil.rmtree(left, ignore_errors=True)


def _unwritable(root: Path, error: OSError) -> DiagnosticError:
    help = "set XDG_CACHE_HOME to a folder that can be written"
    fault = system_fault(error, root)
    if fault is not None:
        return DiagnosticError(replace(fault, help=f"{fault.help}; {help}"))
    return data_error("D104", f"the cache cannot be written: {error}", file=root, path="", help=help)


def _files_in(folder: Path) -> dict[str, StoredFile]:
    return {path.name: StoredFile(path.stat().st_size, sha256_file(path)) for path in sorted(folder.iterdir())}
