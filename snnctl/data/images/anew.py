"""New pictures for a trained model: how they become pixels and inputs, and pictures from files, folders and arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic
from snnctl.core.shapes import SignalSpec
from snnctl.data.anew import (
    Fitted,
    NewItem,
    NewItems,
    are_paths,
    array_items,
    arrays_of,
    files_of,
    given_array,
    labels_of,
    names_of,
    place,
    refuse_shape,
    whole_numbers,
)
from snnctl.data.base import Batch
from snnctl.data.decoding import Decoder, picture_warnings
from snnctl.data.images.readers.idx import find_idx, read_idx
from snnctl.data.images.readers.local import image_source
from snnctl.data.pictures import SUFFIXES, Pixels, Shape, spelled
from snnctl.data.tones import Tones, unclear

_ARRAYS = (".npy", ".npz")
_TABLES = (".parquet", ".pq")
_IN_MEMORY = Path("the array")


@dataclass(frozen=True)
class ImageReading:
    """How pictures of a source are read: see `Decoding` and `Tones`.

    Args:
        shape: that pictures are brought to.
        tones: how values become 0..255.
        label: column of the classes in Parquet.
        deep: whether arrays of training went by the 16 bits of their numbers.
    """

    shape: Shape
    tones: Tones
    label: str | None = None
    deep: bool = False


def to_inputs(pixels: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Pixels [B, H, W, C] or [B, T, H, W, C] of uint8 -> inputs [B, H * W, C] or [B, T, H * W, C], normalised."""
    return ((pixels.float() - shift) * scale).flatten(-3, -2).contiguous()


def pixel_signal(shape: Sequence[int]) -> SignalSpec:
    """Pixels row by row, channels last, of items of `shape`, [H, W, C] or [T, H, W, C]."""
    *frames, rows, columns, channels = shape
    return SignalSpec(0, rows * columns, channels, grid=(rows, columns), frames=frames[0] if frames else 0)


@dataclass(frozen=True, eq=False)
class FittedPixels(Fitted):
    """What pictures and frames of events share: classes, shape and normalisation.

    Args:
        class_names: of the classes.
        shape: of an item, (H, W, C) or (T, H, W, C).
        shift, scale: float32 [C], taken off the pixels, and multiplied with then.
    """

    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    shift: Tensor
    scale: Tensor

    @property
    def input_signal(self) -> SignalSpec:
        return pixel_signal(self.shape)

    def values(self) -> dict[str, Any]:
        return {
            "classes": list(self.class_names),
            "shape": list(self.shape),
            "shift": self.shift.tolist(),
            "scale": self.scale.tolist(),
        }

    @staticmethod
    def shared(values: Mapping[str, Any], axes: int) -> tuple[tuple[str, ...], tuple[int, ...], Tensor, Tensor]:
        """The first four values of a document; raises ValueError."""
        shape = whole_numbers(values["shape"])
        shift, scale = (torch.tensor(values[name], dtype=torch.float32) for name in ("shift", "scale"))
        if len(shape) != axes or not shift.shape == scale.shape == shape[-1:]:
            raise ValueError(f"shape {spelled(shape)} with {len(shift)} and {len(scale)} channels")
        if not (torch.isfinite(shift).all() and torch.isfinite(scale).all()):
            raise ValueError("a shift or scale is no number")
        return names_of(values["classes"]), shape, shift, scale

    def batch(self, contents: Sequence[Pixels]) -> Batch:
        """Items uint8 [*shape] as inputs."""
        pixels = torch.from_numpy(np.stack(contents))
        return Batch(to_inputs(pixels, self.shift, self.scale), torch.zeros(len(contents), dtype=torch.int64))


@dataclass(frozen=True, eq=False)
class FittedImages(FittedPixels):
    """How pictures became inputs.

    Args:
        reading: how they are read.
        pixel_by_pixel: whether each pixel is a step of its own.
        order: [H * W] int64, which pixel comes at each step; None = row by row.
    """

    reading: ImageReading
    pixel_by_pixel: bool = False
    order: Tensor | None = None

    kind: ClassVar[str] = "images"

    @property
    def input_signal(self) -> SignalSpec:
        pictures = super().input_signal
        if not self.pixel_by_pixel:
            return pictures
        return SignalSpec(0, 1, pictures.features, frames=pictures.length)

    def values(self) -> dict[str, Any]:
        reading = self.reading
        return super().values() | {
            "size": None if reading.shape.size is None else list(reading.shape.size),
            "channels": reading.shape.channels,
            "ground": reading.tones.ground,
            "range": reading.tones.range,
            "label": reading.label,
            "deep": reading.deep,
            "pixel_by_pixel": self.pixel_by_pixel,
            "order": None if self.order is None else self.order.tolist(),
        }

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> FittedImages:
        shared = cls.shared(values, 3)
        size, channels, order = values["size"], values["channels"], values["order"]
        found = whole_numbers(size) if size is not None else None
        if channels not in (None, 1, 3) or (found is not None and len(found) != 2):
            raise ValueError(f"size {size!r} of {channels!r} channels")
        ground: Literal["white", "black", "grey", "none"] | None = values["ground"]
        if ground not in (None, "white", "black", "grey", "none"):
            raise ValueError(f"ground is {ground!r}")
        numbers = values["range"]
        if numbers is not None and not float(numbers[0]) < float(numbers[1]):
            raise ValueError(f"range is {numbers!r}")
        steps = None if order is None else torch.tensor(whole_numbers(order, 0))
        if steps is not None and not torch.equal(steps.sort().values, torch.arange(shared[1][0] * shared[1][1])):
            raise ValueError("the order of the pixels is none")
        shape = Shape(None if found is None else (found[0], found[1]), channels)
        reading = ImageReading(shape, Tones(ground, numbers), values["label"], bool(values["deep"]))
        return cls(*shared, reading, bool(values["pixel_by_pixel"]), steps)

    def batch(self, contents: Sequence[Pixels]) -> Batch:
        found = super().batch(contents)
        if not self.pixel_by_pixel:
            return found
        pixels = found.inputs if self.order is None else found.inputs[:, self.order]
        return Batch(pixels.unsqueeze(2), found.targets)

    def new(self, given: Any) -> NewItems:
        """New pictures, brought to the shape of training by the settings of training alone.

        Args:
            given: a picture; a folder of them (in folders called after classes, or not); a .npy or .npz file or an
                array, [N, H, W] or [N, H, W, C] or one of them; an IDX file; a tar, Parquet or a folder as training
                reads it; or a list of paths of pictures.

        Raises:
            DiagnosticError: D1xx and D2xx, they cannot be read; D310, they are of another shape.
        """
        if are_paths(given):
            paths = [place(path) for path in given]
            return self._pictures([(path, str(given[number]), "") for number, path in enumerate(paths)], "")
        if not isinstance(given, Path):
            return self._array(given_array(given, "pictures"), None, _IN_MEMORY)
        path = place(given)
        name = path.name.lower()
        if path.is_file():
            if name.endswith(_ARRAYS):
                return self._array(*arrays_of(path, "pictures", self.class_names), path)
            if "idx3-ubyte" in name:
                beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
                data = read_idx(path)
                labels = None
                if beside != path and beside.is_file():
                    labels = labels_of(read_idx(beside), len(data), self.class_names, beside)
                return self._array(data, labels, path)
            if name.endswith(SUFFIXES):
                return self._pictures([(path, path.name, "")], str(path))
            return self._source(path)
        if (
            find_idx(path)
            or any(path.glob("cifar-*"))
            or any(path.glob("*.parquet"))
            or any(path.glob("data/*.parquet"))
        ):
            return self._source(path)
        return self._pictures(files_of(path, SUFFIXES, "pictures", self.class_names), str(path))

    def _pictures(self, files: Sequence[tuple[Path, str, str]], origin: str) -> NewItems:
        decode = Decoder(self.reading.shape, self.reading.tones)

        def items() -> Iterator[NewItem]:
            for path, name, label in files:

                def read(path: Path = path, name: str = name) -> Pixels:
                    return self._fitting(decode(path, name, path), name, path)

                yield NewItem(name, read, label)

        return NewItems(items(), len(files), bool(files[0][2]), (), _told(decode, origin))

    def _array(self, data: Any, labels: list[str] | None, path: Path) -> NewItems:
        rows, columns, channels = self.shape
        if data.shape in ((rows, columns, channels), (rows, columns) if channels == 1 else ()):
            data, labels = data[None], None
        if data.ndim not in (3, 4):
            wanted = ("N", rows, columns, channels)
            refuse_shape(data.shape, wanted, path.name, path, "bring pictures as [N, H, W] or [N, H, W, C]")  # type: ignore[arg-type]
        images = data[..., None] if data.ndim == 3 else data
        refuse_shape(images.shape[1:], self.shape, path.name, path, "arrays are taken as they are: resize them")
        (pixels,), _ = self._toned(images, path)
        return NewItems(array_items(pixels, labels, lambda one, _: np.asarray(one)), len(pixels), labels is not None)

    def _toned(self, images: Any, path: Path) -> tuple[list[Any], Any]:
        tones, high = self.reading.tones, float(images.max(initial=0)) if images.dtype == np.uint16 else 0.0
        if images.dtype == np.uint16 and tones.range is None:
            if self.reading.deep:
                return [tones.scaled(images, 65535.0)], {}
            if high > 255:  # training's were within 0..255, and so taken as they are
                raise unclear(f"`{path.name}`", float(images.min()), high, path)
        return tones.of_arrays([images], path)

    def _source(self, path: Path) -> NewItems:
        decode = Decoder(self.reading.shape, self.reading.tones)
        source = image_source(path, decode, self.reading.label)

        def items() -> Iterator[NewItem]:
            for part in source.parts:
                for number, (pixels, label) in enumerate(part.items()):
                    name = f"{part.name}/{number}" if len(source.parts) > 1 else str(number)
                    named = source.classes[label] if label < len(source.classes) else str(label)
                    yield NewItem(name, lambda pixels=pixels, name=name: self._fitting(pixels, name, path), named)  # type: ignore[misc]

        count = sum(part.count for part in source.parts)
        return NewItems(items(), count, True, (f"as {source.format}",), _told(decode, str(path)))

    def _fitting(self, pixels: Pixels, name: str, file: Path) -> Pixels:
        size, channels = self.reading.shape.size, self.reading.shape.channels
        said = [f"data.{knob}" for knob, value in (("size", size), ("channels", channels)) if value is None]
        help = f"bring them to that shape, or train with {' and '.join(f'`{knob}`' for knob in said)}"
        refuse_shape(pixels.shape, self.shape, name, file, help)
        return pixels


def _told(decode: Decoder, origin: str) -> Callable[[], list[Diagnostic]]:
    return lambda: list(picture_warnings(decode.findings(), origin))
