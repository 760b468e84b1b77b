"""New items for a trained model: what it keeps of its data, and how files, folders and arrays become items again.

Every kind of data but series has a `Fitted` of its own in its folder, in a module `anew`; `FITTED` names them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Self

import numpy as np

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.data.arrays import DATA_NAMES, LABEL_NAMES
from snnctl.data.base import Probe
from snnctl.data.numpy_files import open_npy, open_npz
from snnctl.data.pictures import spelled
from snnctl.data.problems import data_error
from snnctl.data.walk import files_in, place_of

SCHEMA = 1
FITTED = {
    "texts": "snnctl.data.texts.anew:FittedTexts",
    "images": "snnctl.data.images.anew:FittedImages",
    "event_frames": "snnctl.data.events.frames_anew:FittedFrames",
    "recordings": "snnctl.data.events.anew:FittedSpikes",
    "made": "snnctl.data.made.anew:FittedMade",
    "video": "snnctl.data.video.anew:FittedVideo",
}
_TEST = "test_"


@dataclass(frozen=True)
class NewItem:
    """One item that is to be predicted.

    Args:
        name: tells it from the others: a path below what was given, or its number from 0 in a file.
        read: gives its content, as `Fitted.batch` takes it; raises a `DiagnosticError` where it cannot be read.
        label: its class, where what was given says so; as training calls it, or as it stands there.
    """

    name: str
    read: Callable[[], Any]
    label: str = ""


@dataclass
class NewItems:
    """What was given, item by item; nothing is read before it is asked for.

    Args:
        items: in order.
        count: how many; None where that is known at the end.
        labelled: whether classes are told.
        how: how it is read, one line each.
        doubts: what was found odd, asked for once all items were given.
    """

    items: Iterator[NewItem]
    count: int | None
    labelled: bool = False
    how: tuple[str, ...] = ()
    doubts: Callable[[], Sequence[Diagnostic]] = field(default=tuple)


class Fitted(Probe):
    """What a trained model keeps of its data: the shape of its inputs, and how new items reach it as those of training.

    It stands in for the data where a network is built, so it has what tasks ask of data.
    """

    kind: ClassVar[str]  # its key in `FITTED`
    class_names: tuple[str, ...]  # in the order of their indices; empty where there are none

    @property
    def classes(self) -> int:
        """K."""
        return len(self.class_names)

    @abstractmethod
    def values(self) -> dict[str, Any]:
        """All of it as plain values for JSON, from which `of_values` makes the same again."""

    @classmethod
    @abstractmethod
    def of_values(cls, values: Mapping[str, Any]) -> Self:
        """From what `values` gave.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is something else.
        """

    @abstractmethod
    def new(self, given: Any) -> NewItems:
        """New items, read as training read its own.

        Args:
            given: a path, or values from Python: what the kind says.

        Raises:
            DiagnosticError: Dxxx, it cannot be read, or does not fit.
        """

    @abstractmethod
    def batch(self, contents: Sequence[Any]) -> Any:
        """Contents of items as a task takes them; targets are zeros."""

    def to_json(self) -> dict[str, Any]:
        """The document of `model/model.json`."""
        return {"schema": SCHEMA, "kind": self.kind, **self.values()}


def fitted_of(document: Mapping[str, Any]) -> Fitted:
    """From what `Fitted.to_json` gave.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is something else, or of another schema.
    """
    kind = document["kind"]
    if document["schema"] != SCHEMA or kind not in FITTED:
        raise ValueError(f"schema {document['schema']} of {kind}; this knows {SCHEMA} of {', '.join(FITTED)}")
    module, name = FITTED[kind].split(":")
    found: Fitted = getattr(import_module(module), name).of_values(document)
    return found


def whole_numbers(values: Any, least: int = 1) -> tuple[int, ...]:
    """A list of whole numbers from a document; raises ValueError."""
    if not isinstance(values, list) or not all(type(value) is int and value >= least for value in values):
        raise ValueError(f"whole numbers from {least} on are wanted, not {values!r}")
    return tuple(values)


def names_of(values: Any) -> tuple[str, ...]:
    """Names of classes from a document; raises ValueError."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values) or len(values) < 2:
        raise ValueError("at least two names of classes are wanted")
    return tuple(values)


def place(given: Path | str) -> Path:
    """The file or folder; raises D101, D104."""
    found = place_of(str(given))
    if found is None:
        raise data_error("D101", f"nothing is at `{given}`", file=str(given), path="", help="look at the path")
    return found


def files_of(folder: Path, suffixes: tuple[str, ...], what: str, classes: Sequence[str]) -> list[tuple[Path, str, str]]:
    """Files of a folder and its folders in the order of their paths: path, name below the folder, class off folders.

    Classes are told where every file lies in a folder that is called after one; the nearest such folder counts.

    Raises:
        DiagnosticError: D222, there are none.
    """
    names = sorted(
        (path.relative_to(folder).as_posix() for path in files_in(folder) if path.name.lower().endswith(suffixes)),
        key=lambda name: PurePosixPath(name).parts,
    )
    names = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]
    if not names:
        help = f"it reads {', '.join(suffixes)}"
        raise data_error("D222", f"no {what} are in it", file=folder, path="", help=help)
    known = set(classes)
    labels = []
    for name in names:
        above = [part for part in (folder.name, *PurePosixPath(name).parts[:-1]) if part in known]
        labels.append(above[-1] if above else "")
    if not all(labels):
        labels = [""] * len(names)
    return [(folder / name, name, label) for name, label in zip(names, labels, strict=True)]


def arrays_of(path: Path, what: str, classes: Sequence[str]) -> tuple[Any, list[str] | None]:
    """Items in an array of NumPy and their classes, where these are told.

    `.npy` holds items (classes in `NAME_labels.npy` beside it); `.npz` holds `images`, `frames`, `data` or `x` (with
    `labels`, `targets` or `y`), or `test_` before these names, or one array alone.

    Raises:
        DiagnosticError: D222 no such array, or as many classes as items are not there; or what opening it finds.
    """
    labels: Any = None
    if path.suffix.lower() == ".npy":
        data = open_npy(path, mapped=True)
        beside = path.with_name(f"{path.stem}_labels.npy")
        labels = open_npy(beside) if beside.is_file() else None
    else:
        arrays = open_npz(path)
        prefix = next((start for start in ("", _TEST) if any(start + name in arrays for name in DATA_NAMES)), "")
        name = next((prefix + name for name in DATA_NAMES if prefix + name in arrays), "")
        if not name and len(arrays) == 1:
            name = next(iter(arrays))
        if not name:
            help = f"it needs one array, or `{DATA_NAMES[1]}`"
            raise data_error("D222", f"`{path.name}` has {', '.join(arrays)}", file=path, path="", help=help)
        data = arrays[name]
        labels = next((arrays[prefix + other] for other in LABEL_NAMES if prefix + other in arrays), None)
    if not data.ndim or not len(data):
        raise data_error("D102", f"`{path.name}` holds no {what}", file=path, path="")
    return data, None if labels is None else labels_of(labels, len(data), classes, path)


def labels_of(labels: Any, count: int, classes: Sequence[str], path: Path) -> list[str]:
    """Names of classes that an array tells: its own names, or those of its numbers; "" for negative numbers.

    Raises:
        DiagnosticError: D222, there are not as many as items.
    """
    if labels.shape != (count,) or labels.dtype.kind not in "iuUSO":
        message = f"`{path.name}` has classes {labels.dtype} {list(labels.shape)} for {count:,} items"
        raise data_error("D222", message, file=path, path="", help="one class for each item")
    if labels.dtype.kind not in "iu":
        return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in labels.tolist()]
    known = set(classes)
    named = all(name.lstrip("-").isdecimal() for name in classes)

    def name(number: int) -> str:
        if number < 0:
            return ""
        return str(number) if named or str(number) in known or number >= len(classes) else classes[number]

    return [name(number) for number in labels.tolist()]


def array_items(contents: Any, labels: Sequence[str] | None, check: Callable[[Any, str], Any]) -> Iterator[NewItem]:
    """Items of an array, by their numbers.

    Args:
        check: told a content and its name, gives it as a batch takes it, or refuses it.
    """
    for number in range(len(contents)):
        yield NewItem(
            str(number),
            lambda number=number: check(contents[number], str(number)),  # type: ignore[misc]
            "" if labels is None else labels[number],
        )


def refuse_shape(found: Sequence[int], wanted: Sequence[int], name: str, file: Path | str, help: str) -> None:
    """Items are of the shape of training.

    Raises:
        DiagnosticError: D310, this one is not.
    """
    if tuple(found) != tuple(wanted):
        message = f"`{name}` is {spelled(found)}, and the model takes {spelled(wanted)}"
        raise DiagnosticError(Diagnostic("D310", message, file=str(file), help=help))


def given_array(given: Any, what: str) -> np.ndarray[Any, Any]:
    """An array of values from Python; raises D310 where they are not of one shape."""
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise DiagnosticError(Diagnostic("D310", f"{what} are not of one shape: {error}")) from error
    if found.dtype == object or not found.ndim:
        raise DiagnosticError(Diagnostic("D310", f"{what} are not an array of numbers of one shape"))
    return found


def are_paths(given: Any) -> bool:
    """Whether values from Python are paths of files."""
    return isinstance(given, Sequence) and len(given) > 0 and all(isinstance(one, str | Path) for one in given)
