"""What a file or folder holds, told by its name and the first of its bytes: which kind of data, and why.

Nothing is read whole and nothing is unpickled. What cannot be told apart is named, so that a guess is never silent.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from snnctl.data.arrays import DATA_NAMES, LABEL_NAMES
from snnctl.data.images.readers.idx import find_idx
from snnctl.data.numpy_files import npy_head, open_npz
from snnctl.data.pictures import SUFFIXES as PICTURES
from snnctl.data.problems import data_error, unreadable
from snnctl.data.recognise_tables import columns_of, kind_of_columns, kind_of_lines

TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".dat.gz")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
JSON = (".json", ".jsonl", ".ndjson")
CAMERAS = (".aedat", ".aedat4", ".bin", ".raw")
MOVIES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
_HDF5 = (".h5", ".hdf5", ".hdf")
_CIFARS = ("cifar-10-batches-py", "cifar-100-python")
_MOST_FILES = 3000  # of a folder, that are looked at, and folders in it
_MOST_ARRAYS = 64
_BAD_HDF5 = (ValueError, OSError, KeyError, RuntimeError, MemoryError, TypeError, AttributeError)


@dataclass(frozen=True)
class Guess:
    """What something is read as.

    Args:
        kind: the folder of `snnctl.data` that reads it: series, texts, images, events, video.
        reason: what told so.
        also: kinds that it may be as well.
        component: in the catalog, where it is not the first of its kind.
        source: what the component is given, where that is another place: the folder of an IDX file.
    """

    kind: str
    reason: str
    also: tuple[str, ...] = ()
    component: str = ""
    source: Path | None = None


def recognise(path: Path) -> Guess:
    """The kind of what lies at `path`.

    Raises:
        DiagnosticError: D101 there is nothing, D102 it is empty, D104 it cannot be opened, D105 its kind is not clear.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if not path.exists():
            raise data_error("D101", f"no file or folder `{path}`", file=path)
        if not path.is_file():
            raise data_error("D104", f"`{path}` is neither a file nor a folder", file=path)
        if path.stat().st_size == 0:
            raise data_error("D102", "the file is empty", file=path)
        return _file(path)
    except OSError as error:
        raise data_error("D104", f"cannot be read: {error.strerror or error}", file=path) from error


def _file(path: Path) -> Guess:
    name, suffix = path.name.lower(), path.suffix.lower()
    if "idx" in name and "ubyte" in name:
        return Guess("images", "an IDX file: its folder is read", source=path.parent)
    if name.endswith(ARCHIVES):
        return Guess("images", "an archive")
    if suffix in CAMERAS or (suffix == ".dat" and _is_binary(path)):
        return Guess("events", f"a recording of an event camera ({suffix})")
    if suffix in (".npy", ".npz"):
        return _arrays(path)
    if suffix in _HDF5:
        return _hdf5(path)
    if suffix in (".parquet", ".pq"):
        return _parquet(path)
    if suffix in JSON:
        return Guess("texts", f"a list of objects ({suffix})")
    if suffix in PICTURES:
        return Guess("images", "a picture")
    if suffix in MOVIES:
        return Guess("video", "a film")
    if name.endswith(TABLES) or not _is_binary(path):
        return _text(path)
    raise data_error("D105", f"what `{path.name}` holds is not clear", file=path, help=_SETTLE)


_SETTLE = "settle it with --as series, texts, images, events or video"


def _text(path: Path) -> Guess:
    kind, reason, also = kind_of_lines(path)
    return Guess(kind, reason, also)


def _is_binary(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(4096)
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16 is text with zeros in it
    return b"\0" in start and not wide


def headers(path: Path) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Name -> (shape, type) of the arrays of an .npz, or of the one of an .npy, of which none is read.

    Raises:
        DiagnosticError: as `npy_head`.
    """
    if path.suffix.lower() == ".npy":
        head = npy_head(path, mapped=True)
        return {"": (head.shape, head.dtype)}
    arrays = open_npz(path)
    heads = {name: arrays.head(name) for name in islice(arrays, _MOST_ARRAYS)}
    return {name: (head.shape, head.dtype) for name, head in heads.items()}


def _arrays(path: Path) -> Guess:
    found = headers(path)
    names, said = set(found), f"arrays {_few(found)}"
    if {"x", "y", "p", "t"} <= names or {"t", "unit"} <= names or {"pos", "neg"} <= names:
        return Guess("events", f"{said}: events of one recording")
    if names & {"X_train", "X_test", "Y_train", "Y_test"} and len(next(iter(found.values()))[0]) > 3:
        return Guess("video", f"{said}: TaxiBJ's")
    axes = {name: len(shape) for name, (shape, _) in found.items()}
    labelled = _labelled(found, path)
    if labelled is not None and axes[labelled] > 2:
        what = f"`{labelled}`" if labelled else "an array"
        if axes[labelled] == 5:
            return Guess("events", f"{what} of 5 axes with classes: event frames", component="event_frames")
        return Guess("images", f"{what} of {axes[labelled]} axes with classes")
    most = max(axes.values(), default=0)
    if most > 3:
        return Guess("video", f"an array of {most} axes without classes", ("images",))
    if most == 3:
        return Guess("series", "an array of 3 axes without classes", ("images", "video"))
    return Guess("series", f"an array {_shape(found)}" if len(found) == 1 else said)


def _labelled(found: dict[str, tuple[tuple[int, ...], Any]], path: Path) -> str | None:
    """The array whose items have classes in another array, or in a file beside it."""
    if path.suffix.lower() == ".npy":
        beside = (path.with_name(f"{path.stem}_labels.npy"), path.with_name("labels.npy"))
        return "" if any(file.is_file() and file != path for file in beside) else None
    for name, (shape, _) in found.items():
        stem = next((stem for stem in DATA_NAMES if name == stem or name.endswith(f"_{stem}")), "")
        prefix = name.removesuffix(stem)
        if stem and len(shape) > 2 and any(prefix + label in found for label in LABEL_NAMES):
            return name
    return None


def _shape(found: dict[str, tuple[tuple[int, ...], Any]]) -> str:
    ((shape, dtype),) = found.values()
    return f"{list(shape)} of {dtype}"


def _few(names: Any, most: int = 6) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (", ..." if len(listed) > most else "")


def _hdf5(path: Path) -> Guess:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            hard = {
                name for name in islice(file, _MOST_ARRAYS) if isinstance(file.get(name, getlink=True), h5py.HardLink)
            }
            groups = {name: set(file[name]) for name in hard if file.get(name, getclass=True) is h5py.Group}
    except _BAD_HDF5 as error:
        raise unreadable(path, "HDF5", error) from error
    if {"times", "units"} <= groups.get("spikes", set()):
        return Guess("events", "HDF5 with spikes/times and spikes/units, as SHD has them")
    if any({"x", "y", "t"} <= inner for inner in groups.values()) or {"x", "y", "t"} <= hard:
        return Guess("events", "HDF5 with x, y and t: events of one recording")
    return Guess("series", f"HDF5 with {_few(sorted(hard)) or 'nothing'}")


def _parquet(path: Path) -> Guess:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, "Parquet", error) from error
    names = [str(name) for name in schema.names]
    inner = [field.type for field in schema]
    if any(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 for kind in inner):
        return Guess("images", "Parquet with a column of pictures")
    words = [pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in inner]
    dated = any(pa.types.is_temporal(kind) for kind in inner)
    numbers = sum(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in inner)
    kind, reason, also = kind_of_columns(columns_of(names, words, dated, numbers))
    return Guess(kind, f"Parquet, {reason}", also)


def _walk(folder: Path) -> Iterator[Path]:
    """Files of the first folders below, hidden ones left out, in an order that is always the same."""
    for place, folders, files in islice(os.walk(folder), _MOST_FILES):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found = (Path(place) / name for name in sorted(files) if not name.startswith("."))
        yield from (file for file in found if file.is_file())  # a pipe would never end


_BESIDE = (".md", ".rst", ".html", ".pdf", ".yaml", ".yml", ".sha256", ".py")
_WORDS = (*JSON, ".csv", ".tsv", ".txt", ".pos", ".neg", ".label", ".parquet", ".pq", "")


def _folder(folder: Path) -> Guess:
    if find_idx(folder):
        return Guess("images", "a folder of IDX files")
    if any((folder / name).is_dir() for name in _CIFARS) or folder.name in _CIFARS:
        return Guess("images", "CIFAR's batches")
    files = [file for file in islice(_walk(folder), _MOST_FILES) if _is_data(file)]
    if not files:
        raise data_error("D105", f"no data is in the folder `{folder.name}`", file=folder, help=_SETTLE)
    counts = Counter(_ending(file) for file in files)
    for ending, _ in counts.most_common():
        first = next(file for file in files if _ending(file) == ending)
        found = _of_files(folder, ending, first, files)
        if found is not None:
            more = "over " * (len(files) == _MOST_FILES)
            endings = ", ".join(f"{number:,} {ending or 'without ending'}" for ending, number in counts.most_common(3))
            return replace(found, reason=f"a folder with {more}{endings}: {found.reason}")
    kinds = ", ".join(f"{number} {ending or 'without ending'}" for ending, number in counts.most_common(4))
    message = f"what the folder `{folder.name}` holds is not clear ({kinds})"
    raise data_error("D105", message, file=folder, help=f"name one of its files, or {_SETTLE}")


def _is_data(file: Path) -> bool:
    return file.suffix.lower() not in _BESIDE and file.stem.upper() not in ("LICENSE", "README", "SOURCE")


def _ending(file: Path) -> str:
    suffix = file.suffix.lower()
    if file.name.lower().endswith(ARCHIVES):
        return "archive"
    return "pictures" if suffix in PICTURES else suffix


def _of_files(folder: Path, ending: str, first: Path, files: list[Path]) -> Guess | None:
    """What a folder holds most of whose files end so; None where that says nothing."""
    if ending == "pictures":
        return _pictures(folder, [file for file in files if file.suffix.lower() in PICTURES])
    if ending == "archive" and len(files) == 1:
        return Guess("images", f"one archive, `{first.name}`", source=first)
    if ending in CAMERAS or (ending == ".dat" and _is_binary(first)):
        return Guess("events", "recordings of event cameras")
    if ending in _HDF5:
        return _hdf5(first)
    if ending in (".npz", ".npy"):
        found = headers(first)
        table = next(iter(found.values()))[0] if found else ()
        if "frames" in found:
            return Guess("events", "event frames", component="event_frames")
        if {"x", "y", "p", "t"} <= set(found) or {"t", "unit"} <= set(found) or (len(table) == 2 and table[1] == 4):
            return Guess("events", "recordings of events")
        return _arrays(first)
    if ending in _WORDS:
        found_in = _parquet(first) if ending in (".parquet", ".pq") else _file(first) if ending else _text(first)
        if found_in.kind != "series":
            return found_in
        tables = [file for file in files if _ending(file) == ending]
        if len(tables) == 1:
            return Guess("series", f"one table, `{first.name}`: {found_in.reason}", found_in.also, source=first)
        if ending not in (".csv", ".parquet", ".pq"):  # sentences of a class, a file each, look like anything
            return Guess("texts", "files of text", ("series",))
    return None


_FRAME = re.compile(r"\D*0\d*\D*$|\D+\d+$")
_KTH = re.compile(r"person\d\d_[a-z]+_")


def _pictures(folder: Path, files: list[Path]) -> Guess:
    """Pictures of classes, or frames of clips: numbers in the names alone do not tell."""
    if any(_KTH.match(part) for part in files[0].relative_to(folder).parts):
        return Guess("video", "frames of clips, as KTH has them")
    numbered = sum(bool(_FRAME.match(file.stem)) for file in files) > len(files) // 2
    inside = {file.parent for file in files}
    if inside == {folder} and numbered:
        return Guess("video", "numbered pictures in one folder", ("images",))
    return Guess("images", "pictures in folders of classes", ("video",) if numbered else ())
