"""Pictures in folders named by class, as files or in one tar archive; and the layout of Tiny-ImageNet."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from snnctl.data.images.readers.decode import SUFFIXES, Shape, decode
from snnctl.data.images.source import Item, Part, Source
from snnctl.data.problems import data_error

_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
Labelled = dict[str, list[tuple[str, str]]]  # part -> [(name of the picture, class)]


def sort_out(names: list[str], origin: Path, suffixes: tuple[str, ...] = SUFFIXES) -> Labelled:
    """Parts and classes read off paths: `[anything/]{train,val,test}/class/.../x.png` or `[anything/]class/.../x.png`.

    Raises:
        DiagnosticError: D222, there are no pictures, or no class folders.
    """
    paths = sorted(PurePosixPath(name) for name in names if name.lower().endswith(suffixes))
    paths = [path for path in paths if not any(piece.startswith((".", "__MACOSX")) for piece in path.parts)]
    if not paths:
        raise data_error("D222", "no pictures are in it", file=origin, help=f"it reads {', '.join(suffixes)}")
    depth = _common(paths)
    cut = all(path.parts[depth].lower() in _NAMES for path in paths)
    found: Labelled = {}
    for path in paths:
        pieces = path.parts[depth:]
        part, inner = (_NAMES[pieces[0].lower()], pieces[1:]) if cut else ("all", pieces)
        if len(inner) < 2:
            help = "put pictures into train/CLASS/, val/CLASS/ and test/CLASS/, or into CLASS/ if the set is not cut"
            raise data_error("D222", f"`{path}` stands in no folder of a class", file=origin, help=help)
        found.setdefault(part, []).append((str(path), inner[0]))
    return found


def _common(paths: list[PurePosixPath]) -> int:
    """How many leading folders all paths share, the folders of parts and classes not counted."""
    depth = 0
    while all(len(path.parts) > depth + 2 for path in paths) and len({path.parts[depth] for path in paths}) == 1:
        if paths[0].parts[depth].lower() in _NAMES:
            break
        depth += 1
    return depth


def class_names(found: Labelled, origin: Path) -> tuple[str, ...]:
    """The classes in the order of their names, numbers by their value.

    Raises:
        DiagnosticError: D222 fewer than two, D223 a part has a class that `train` does not have.
    """
    every = {name for items in found.values() for _, name in items}
    known = {name for _, name in found.get("train", [])} or every
    strangers = sorted(every - known)
    if strangers:
        message = f"class `{strangers[0]}` is in {_part_of(strangers[0], found)} but not in train"
        raise data_error("D223", message, file=origin)
    if len(known) < 2:
        raise data_error("D222", f"one class alone, `{min(known)}`", file=origin)
    return tuple(sorted(known, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name)))


def _part_of(name: str, found: Labelled) -> str:
    return next(part for part, items in found.items() if any(other == name for _, other in items))


def folder_source(folder: Path, shape: Shape) -> Source:
    """A folder of pictures; Tiny-ImageNet's own layout is known."""
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    annotations = folder / "val" / "val_annotations.txt"
    found = _tiny_imagenet(files, annotations, folder) if annotations.is_file() else sort_out(files, folder)

    def read(names: list[tuple[str, str]], indices: Mapping[str, int]) -> Iterator[Item]:
        for name, label in names:
            yield decode((folder / name).read_bytes(), shape, str(folder / name)), indices[label]

    return _source(found, folder, "folder", read)


def _tiny_imagenet(files: list[str], annotations: Path, folder: Path) -> Labelled:
    """`train/WNID/images/*.JPEG`, `val/images/*.JPEG` with a table of classes; `test` has no labels and is left out."""
    table = dict(line.split("\t")[:2] for line in annotations.read_text().splitlines() if "\t" in line)
    found = sort_out([name for name in files if name.startswith("train/")], folder)
    names = sorted(name for name in files if name.startswith("val/") and name.lower().endswith(SUFFIXES))
    unknown = [name for name in names if Path(name).name not in table]
    if unknown:
        raise data_error("D222", f"`{unknown[0]}` has no line in val_annotations.txt", file=annotations)
    return {**found, "val": [(name, table[Path(name).name]) for name in names]}


def tar_source(path: Path, shape: Shape) -> Source:
    """A tar archive of such a folder, plain or compressed; pictures are decoded in the order in which they lie.

    Raises:
        DiagnosticError: D104, the archive cannot be read.
    """
    try:
        with tarfile.open(path) as archive:
            names = [member.name for member in archive if member.isfile()]
    except (OSError, tarfile.TarError, EOFError) as error:
        raise data_error("D104", f"`{path.name}` cannot be read: {error}", file=path) from error
    found = sort_out(names, path)

    def read(wanted: list[tuple[str, str]], indices: Mapping[str, int]) -> Iterator[Item]:
        classes = {str(PurePosixPath(name)): indices[label] for name, label in wanted}
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if str(PurePosixPath(member.name)) in classes else None
                if stream is not None:
                    pixels = decode(stream.read(), shape, f"{path.name}/{member.name}")
                    yield pixels, classes[str(PurePosixPath(member.name))]

    return _source(found, path, "tar", read)


def _source(found: Labelled, origin: Path, format: str, read: object) -> Source:
    classes = class_names(found, origin)
    indices = {name: index for index, name in enumerate(classes)}
    assert callable(read)
    parts = tuple(
        Part(part, len(names), lambda names=names: read(names, indices))  # type: ignore[misc]
        for part, names in found.items()
    )
    return Source(parts, classes, str(origin), format)
