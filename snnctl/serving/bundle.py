"""A run handed on as one archive: read, held against its digests, and laid out as the run directory that it was.

A bundle is a ZIP of plain members, none of them compressed, so that nothing comes out of it that does not lie in it:
`manifest.json` (format, and SHA-256 and size of every other member), `recipe.yaml`, `weights.safetensors`, `model/`,
`card.json`, `card.md`. Anything else is refused, and nothing in a bundle is executed. Digests tell a bundle that was
damaged or put together from parts; whoever changes it can write new ones, so the digest of the whole is told too.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from snnctl.core.choices import Checkpoint
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, printable
from snnctl.core.files import write_json
from snnctl.core.owned import scratch
from snnctl.engine.checkpoint import WEIGHTS
from snnctl.engine.run_dir import RunDir
from snnctl.recipe.plugins import load_plugin, loaded_digests
from snnctl.serving.left_out import refuse_paths

FORMAT, VERSION, SUFFIX = "snnctl-bundle", 1, ".snnctl"
MANIFEST, RECIPE, CARD, CARD_TEXT, MODEL = "manifest.json", "recipe.yaml", "card.json", "card.md", "model/model.json"
NEEDED = (MANIFEST, CARD, CARD_TEXT, RECIPE, WEIGHTS, MODEL)

_MEMBER = re.compile(r"model/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.(json|safetensors)")
# Bounds on what is read, so that no archive fills a memory or a disk: members, of one text, of all together.
MOST_MEMBERS, MOST_TEXT, MOST_BYTES = 64, 64 << 20, 8 << 30
_BLOCK = 1 << 20
_LOCAL_HEADER = 30


@dataclass(frozen=True)
class Bundle:
    """What a bundle says of itself, each member held against its digest.

    Args:
        path: where it lies.
        sha256: of the whole file, hex.
        manifest: `{format, version, snnctl, name, checkpoint, plugins: [{name, sha256}], members}`.
        card: `card.json`.
        text: `card.md`.
    """

    path: Path
    sha256: str
    manifest: dict[str, Any]
    card: dict[str, Any]
    text: str


def read_bundle(path: Path) -> Bundle:
    """What a bundle says of itself.

    Raises:
        DiagnosticError: U540 it is none or damaged, U541 a member that no bundle holds, U542 a digest that differs,
            U543 a newer format.
    """
    with _opened(path) as (archive, members, manifest):
        texts = {name: _read(archive, members[name], path) for name in (CARD, CARD_TEXT)}
        for name in members.keys() - texts.keys() - {MANIFEST}:
            _hashed(archive, members[name], manifest, path)
        for name, raw in texts.items():
            _compare(name, hashlib.sha256(raw).hexdigest(), len(raw), manifest, path)
        text = _decoded(texts[CARD_TEXT], CARD_TEXT, path)
        card = _document(texts[CARD], CARD, path)
    with path.open("rb") as file:
        return Bundle(path, hashlib.file_digest(file, "sha256").hexdigest(), manifest, card, text)


@contextmanager
def run_folder(
    path: Path, checkpoint: Checkpoint = "best", plugins: Sequence[Path | str] = (), *, allow_plugins: bool = True
) -> Iterator[tuple[Path, bool]]:
    """The folder of a run, for as long as it is read, and whether its recipe may name plug-ins.

    Args:
        path: a run directory, which is given back as it is; or a bundle, which is laid out in a folder of its own.
        checkpoint: the weights that are wanted.
        plugins: plug-in files to load before, which whoever names them trusts; those of a bundle are known by digest.
        allow_plugins: whether any may be loaded.

    Raises:
        DiagnosticError: as `read_bundle`; U544, plug-ins are needed, or the wrong ones are given; U408, other weights;
            as `load_plugin`.
    """
    if not path.is_file():
        for file in plugins:
            load_plugin(Path(file).resolve(), trusted=True)
        yield path, allow_plugins
        return
    with scratch() as temporary:
        folder = temporary / "run"
        manifest = _unpack(path, folder)
        _load_plugins(manifest, plugins, path, allowed=allow_plugins)
        if checkpoint == "last" and manifest["checkpoint"] == "best":
            message = "a bundle holds the best weights of its run, not the last"
            raise DiagnosticError(Diagnostic("U408", message, file=str(path), help="leave --checkpoint out"))
        try:
            yield folder, False
        except DiagnosticError as error:  # the folder will be gone when that is read
            told = (replace(one, file=one.file.replace(str(folder), str(path))) for one in error.diagnostics)
            raise DiagnosticError(list(told), error.exit_code) from error


def _unpack(path: Path, folder: Path) -> dict[str, Any]:
    """Lay a bundle out as a run directory; its manifest."""
    with _opened(path) as (archive, members, manifest):
        which = manifest["checkpoint"]
        places = {
            RECIPE: folder / RECIPE,
            WEIGHTS: folder / "checkpoints" / which / WEIGHTS,
            **{name: folder / name for name in members if name.startswith("model/")},
        }
        for name in members.keys() - {MANIFEST}:
            place = places.get(name)
            if place is None:
                _hashed(archive, members[name], manifest, path)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                _hashed(archive, members[name], manifest, path, file)
    refuse_paths(folder / MODEL, path)
    facts = {"schema": 1, "status": "done", "name": manifest["name"], "plugins": [], "bundle": True}
    write_json(RunDir(folder).path / MANIFEST, facts)
    return manifest


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo], dict[str, Any]]]:
    """The archive, its members by name, and its manifest; all of a form that may be read on."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            manifest = _manifest(archive, members, path)
            yield archive, members, manifest
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _none(path, f"{error}") from error


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise _none(path, f"it has {len(infos):,} members, more than {MOST_MEMBERS}")
    found: dict[str, zipfile.ZipInfo] = {}
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        reason = _wrong(info) or ("it is there twice" if info.filename in found else "")
        if not reason and info.header_offset < end:
            reason = "it overlaps another"
        if reason:
            facts = {"member": printable(info.orig_filename, 80), "reason": reason}
            raise DiagnosticError(Diagnostic("U541", file=str(path), facts=facts))
        end = info.header_offset + _LOCAL_HEADER + len(info.filename) + info.file_size
        found[info.filename] = info
    lacking = [name for name in NEEDED if name not in found]
    if lacking:
        raise _none(path, f"it lacks {', '.join(lacking)}")
    if sum(info.file_size for info in infos) > MOST_BYTES:
        raise _none(path, f"it is larger than {MOST_BYTES >> 30} GiB")
    return found


def _wrong(info: zipfile.ZipInfo) -> str:
    """Why no bundle holds such a member; "" where one may."""
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name:
        return "its name leads out of the bundle"
    if kind not in (0, stat.S_IFREG):
        return "it is a link or no file" if not stat.S_ISDIR(kind) else "it is a folder"
    if name not in NEEDED and not _MEMBER.fullmatch(name):
        return "no bundle has such a member; code and pickles are never read"
    if info.flag_bits & 0x1:
        return "it is encrypted"
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        return "it is compressed, as no member of a bundle is"
    if not name.endswith(".safetensors") and info.file_size > MOST_TEXT:
        return f"it is larger than {MOST_TEXT >> 20} MiB"
    return ""


def _manifest(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], path: Path) -> dict[str, Any]:
    found = _document(_read(archive, members[MANIFEST], path), MANIFEST, path)
    version = found.get("version")
    if found.get("format") != FORMAT or not isinstance(version, int) or isinstance(version, bool):
        raise _none(path, "its manifest is of another format")
    if version != VERSION:
        raise DiagnosticError(Diagnostic("U543", file=str(path), facts={"version": version, "known": VERSION}))
    named, plugins = found.get("members"), found.get("plugins")
    if (
        not isinstance(named, dict)
        or not all(isinstance(one, dict) for one in named.values())
        or not isinstance(plugins, list)
        or not all(isinstance(one, dict) and {"name", "sha256"} <= one.keys() for one in plugins)
        or found.get("checkpoint") not in ("best", "last")
        or not isinstance(found.get("name"), str)
    ):
        raise _none(path, "its manifest is incomplete")
    for name in sorted(named.keys() ^ (members.keys() - {MANIFEST})):
        facts = {
            "member": printable(str(name), 80),
            "reason": "it is not there" if name in named else "no digest of it",
        }
        raise DiagnosticError(Diagnostic("U541", file=str(path), facts=facts))
    return found


def _hashed(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, manifest: dict[str, Any], path: Path, out: IO[bytes] | None = None
) -> None:
    """Hold a member against its digest, and write it to `out` on the way."""
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(info) as member:
            while block := member.read(_BLOCK):
                digest.update(block)
                size += len(block)
                if out is not None:
                    out.write(block)
    except zipfile.BadZipFile:  # a check sum of the archive's own
        digest.update(b"damaged")
    _compare(info.filename, digest.hexdigest(), size, manifest, path)


def _compare(name: str, digest: str, size: int, manifest: dict[str, Any], path: Path) -> None:
    told = manifest["members"][name]
    if (told.get("sha256"), told.get("bytes")) != (digest, size):
        raise DiagnosticError(Diagnostic("U542", file=str(path), facts={"member": name}))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bytes:
    try:
        return archive.read(info)
    except zipfile.BadZipFile as error:
        raise DiagnosticError(Diagnostic("U542", file=str(path), facts={"member": info.filename})) from error


def _decoded(raw: bytes, name: str, path: Path) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _none(path, f"{name} is no UTF-8 text") from error


def _document(raw: bytes, name: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_decoded(raw, name, path))
    except (ValueError, RecursionError) as error:
        raise _none(path, f"{name} is no JSON") from error
    if not isinstance(found, dict):
        raise _none(path, f"{name} is no JSON object")
    return found


def _load_plugins(manifest: dict[str, Any], plugins: Sequence[Path | str], path: Path, *, allowed: bool) -> None:
    """Load the plug-ins that were named, where they are those that the bundle needs; its own code it does not carry."""
    files = {}
    for file in map(Path, plugins):
        try:
            files[hashlib.sha256(file.read_bytes()).hexdigest()] = file
        except OSError:
            load_plugin(file, trusted=True)  # says what is wrong with it
    for needed in manifest["plugins"] if allowed else []:
        if needed["sha256"] in files:
            load_plugin(files[needed["sha256"]].resolve(), trusted=True)
    lacking = [one for one in manifest["plugins"] if not allowed or one["sha256"] not in loaded_digests()]
    if not lacking:
        return
    first = lacking[0]
    facts = {"name": printable(str(first["name"]), 80), "sha256": printable(str(first["sha256"]), 64)}
    help = "name it with --plugin FILE (plugins=[FILE]); the maker of the bundle has it, and its digest tells it"
    if not allowed:
        help = "leave --no-plugins out, if you trust it"
    others = [f"given: {file}, SHA-256 {digest}" for digest, file in files.items()]
    raise DiagnosticError(Diagnostic("U544", file=str(path), facts=facts, help=help, notes=tuple(others)))


def _none(path: Path, reason: str) -> DiagnosticError:
    help = "name a run directory, or a file that `snnctl export RUN --format bundle` wrote"
    return DiagnosticError(Diagnostic("U540", facts={"file": path, "reason": reason}, help=help))
