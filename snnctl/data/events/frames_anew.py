"""New recordings of event cameras for a model of frames: counted as in training, or brought as frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from snnctl.data.anew import (
    NewItem,
    NewItems,
    are_paths,
    array_items,
    arrays_of,
    given_array,
    place,
    refuse_shape,
)
from snnctl.data.arrays import to_items
from snnctl.data.events.anew import Source, brought
from snnctl.data.events.readers.cameras import ANY_SIZE, Cut, to_frames
from snnctl.data.events.readers.files import sensor_of
from snnctl.data.images.anew import FittedPixels
from snnctl.data.numpy_files import open_npz
from snnctl.data.pictures import Pixels
from snnctl.data.problems import data_error

_IN_MEMORY = Path("the array")


@dataclass(frozen=True, eq=False)
class FittedFrames(FittedPixels):
    """How events became frames.

    Args:
        cut: where frames of events begin.
        size: of the sensor, as the recipe has it; None = as the file says.
    """

    cut: Cut
    size: tuple[int, int] | None

    kind: ClassVar[str] = "event_frames"

    def values(self) -> dict[str, Any]:
        return super().values() | {"cut": self.cut, "size": None if self.size is None else list(self.size)}

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> FittedFrames:
        size = values["size"]
        if values["cut"] not in ("number", "time") or (size is not None and len(size) != 2):
            raise ValueError(f"cut {values['cut']!r}, size {size!r}")
        return cls(*cls.shared(values, 4), values["cut"], None if size is None else (int(size[0]), int(size[1])))

    def new(self, given: Any) -> NewItems:
        """New recordings.

        Args:
            given: .npz or .npy with frames [N, T, C, H, W], or such an array; a recording, whose events are counted
                into as many frames as in training; a folder of recordings, or of .npz with `frames` [T, C, H, W] each;
                or a list of their paths.

        Raises:
            DiagnosticError: D1xx and D2xx, it cannot be read; D310, it is of another shape.
        """
        if not isinstance(given, Path) and not are_paths(given):
            return self._array(given_array(given, "frames"), None, _IN_MEMORY)
        if isinstance(given, Path) and place(given).is_file() and self._holds_many(place(given)):
            path = place(given)
            return self._array(*arrays_of(path, "frames", self.class_names), path)
        found = brought(given, self.class_names)

        def items() -> Iterator[NewItem]:
            for one in found.items():
                yield NewItem(one.name, lambda one=one: self._frames(one), one.label)  # type: ignore[misc]

        return NewItems(items(), found.count, found.labelled)

    @staticmethod
    def _holds_many(path: Path) -> bool:
        """Whether a file holds frames of many recordings: five axes."""
        from snnctl.data.numpy_files import open_npy

        if path.suffix.lower() == ".npy":
            return bool(open_npy(path, mapped=True).ndim == 5)
        return path.suffix.lower() == ".npz" and any(array.ndim == 5 for array in open_npz(path).values())

    def _frames(self, one: Source) -> Pixels:
        path = one.path
        if path.suffix.lower() == ".npz":
            arrays = open_npz(path)
            if "frames" in arrays:
                return self._fitting(to_items(arrays["frames"][None], path, frames=True)[0], one.name, path)
        recording = one.read()
        if recording.unit is not None:
            raise data_error("D224", f"`{path.name}` has units, not x, y and p", file=path, path="")
        frames, *shape = self.shape
        sensor = sensor_of(recording, path, self.size) or ANY_SIZE
        refuse_shape(sensor, shape[:2], one.name, path, "bring recordings of the sensor of training")
        return self._fitting(to_frames(recording, frames, sensor, self.cut, str(path)), one.name, path)

    def _array(self, data: Any, labels: Sequence[str] | None, path: Path) -> NewItems:
        frames, rows, columns, channels = self.shape
        if data.shape == (frames, channels, rows, columns):
            data, labels = data[None], None
        wanted = (frames, channels, rows, columns)
        refuse_shape(data.shape[1:], wanted, path.name, path, "bring frames as [N, T, C, H, W]")
        contents = to_items(data, path, frames=True)
        return NewItems(array_items(contents, labels, lambda one, _: one), len(contents), labels is not None)

    def _fitting(self, pixels: Pixels, name: str, path: Path) -> Pixels:
        refuse_shape(pixels.shape, self.shape, name, path, "bring as many frames, of the sensor of training")
        return pixels
