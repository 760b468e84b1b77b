"""HDF5 files whose content lies in them: links that leave the file, and data that lies elsewhere, are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from snnctl.data.bounds import MOST_PACKED, refuse_more_than_memory
from snnctl.data.problems import data_error

_ONE_FILE = "copy what is meant into one file (h5repack, or h5py's `copy`)"
_MOST_LINKS = 16
_FREE = 1 << 26  # bytes that a dataset may announce and hold a few of: a fill value stands for what is not there


def child(group: Any, name: str, path: Path, *, links: int = 0) -> Any:
    """What a group holds under a name: a group or a dataset; None for a soft link to nothing, and for a named type.

    Args:
        path: of the file.
        links: soft links that led here.

    Raises:
        DiagnosticError: D104, a link leads out of the file or in a ring; or what `own` finds.
    """
    import h5py

    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        message = f"`{name}` is a link to another file, `{link.filename}`, which is not followed"
        raise data_error("D104", message, file=path, help=_ONE_FILE)
    if isinstance(link, h5py.SoftLink):  # followed step by step, since a link out of the file may stand on its way
        if links == _MOST_LINKS:
            raise data_error("D104", f"`{name}` is a link to a link, {links} times over", file=path)
        return child_at(group.file if link.path.startswith("/") else group, link.path, path, links=links + 1)
    node = group.get(name)
    if isinstance(node, h5py.Dataset):
        own(node, path)
        return node
    return node if isinstance(node, h5py.Group) else None


def child_at(group: Any, key: str, path: Path, *, links: int = 0) -> Any:
    """What lies at `key` ("a/b/c") below a group; None where nothing does; arguments and errors as of `child`."""
    for name in key.split("/"):
        if name in ("", "."):
            continue
        if not hasattr(group, "keys") or name not in group.keys():  # noqa: SIM118, `in` a group follows links
            return None
        group = child(group, name, path, links=links)
    return group


def own(dataset: Any, path: Path) -> None:
    """A dataset has its values in its own file, as many as it announces.

    Raises:
        DiagnosticError: D104, it lies in other files, is virtual, or is larger than memory; D232, it announces far more
            than it holds.
    """
    name = f"`{dataset.name.strip('/')}`"
    if dataset.external or dataset.is_virtual:
        other = f", `{dataset.external[0][0]}`" if dataset.external else ""
        message = f"the values of {name} lie in other files{other}, which are not followed"
        raise data_error("D104", message, file=path, help=_ONE_FILE)
    announced = dataset.size * dataset.dtype.itemsize if dataset.shape is not None else 0
    held = dataset.id.get_storage_size()
    if announced > (max(_FREE, held * MOST_PACKED) if held else 0):
        message = f"{name} announces {announced:,} bytes and holds {held:,}"
        raise data_error("D232", message, file=path, help="it was never filled, or is damaged: write it again")
    refuse_more_than_memory(announced, name, path)


def walk(file: Any, path: Path, whole: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """(key, group or dataset) of all that a file holds, each once however many links lead there.

    Args:
        whole: says of a group whether it is one thing, into which nobody looks.

    Raises:
        DiagnosticError: as `child`.
    """
    seen, waiting = {_address(file)}, [("", file)]
    while waiting:
        key, node = waiting.pop()
        if key:
            yield key, node
        if not hasattr(node, "keys") or whole(node):
            continue
        found = [(f"{key}/{name}" if key else name, child(node, name, path)) for name in node]
        fresh = []
        for name, one in found:
            if one is not None and _address(one) not in seen:
                seen.add(_address(one))
                fresh.append((name, one))
        waiting += reversed(fresh)


def _address(node: Any) -> Any:
    import h5py

    return h5py.h5o.get_info(node.id).addr
