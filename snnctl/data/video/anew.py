"""New videos for a trained model: the shape and number of its frames, and clips from arrays, folders and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.data.anew import Fitted, NewItem, NewItems, given_array, place, refuse_shape, whole_numbers
from snnctl.data.decoding import Decoder, picture_warnings
from snnctl.data.numpy_files import open_npy, open_npz
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones
from snnctl.data.video.dataset import VideoBatch, to_frames, video_signal
from snnctl.data.video.readers.arrays import LAYOUTS, ONE, Layout, check_type, to_clips, to_pixels
from snnctl.data.video.readers.folders import FrameShape, folder_source

_IN_MEMORY = Path("the array")


@dataclass(frozen=True, eq=False)
class FittedVideo(Fitted):
    """How videos became frames.

    Args:
        shape: of a frame, (H, W, C).
        seen: F_in, frames that the network is shown.
        ahead: F_out, frames that it gives.
        layout: which axis of an array is which; None where training read no array of clips.
        reading: size and channels that pictures are brought to.
        tones: how values of pictures become 0..255.
        format: of the set of training; that of `taxibj` holds values -1..1.
    """

    shape: tuple[int, int, int]
    seen: int
    ahead: int
    layout: Layout | None
    reading: FrameShape
    tones: Tones
    format: str

    kind: ClassVar[str] = "video"
    class_names = ()

    @property
    def input_signal(self) -> SignalSpec:
        return video_signal(self.shape, self.seen, self.ahead)

    def values(self) -> dict[str, Any]:
        size = self.reading.size
        return {
            "shape": list(self.shape),
            "frames_in": self.seen,
            "frames_out": self.ahead,
            "layout": self.layout,
            "size": None if size is None else list(size),
            "channels": self.reading.channels,
            "ground": self.tones.ground,
            "range": self.tones.range,
            "format": self.format,
        }

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> FittedVideo:
        rows, columns, channels = whole_numbers(values["shape"])
        seen, ahead = whole_numbers([values["frames_in"], values["frames_out"]])
        layout, size = values["layout"], values["size"]
        if layout not in (None, *LAYOUTS) or values["channels"] not in (None, 1, 3):
            raise ValueError(f"layout {layout!r} of {values['channels']!r} channels")
        if values["ground"] not in (None, "white", "black", "grey", "none"):
            raise ValueError(f"ground is {values['ground']!r}")
        pair = None if size is None else (int(size[0]), int(size[1]))
        reading, tones = FrameShape(pair, values["channels"]), Tones(values["ground"], values["range"])
        return cls((rows, columns, channels), seen, ahead, layout, reading, tones, str(values["format"]))

    def new(self, given: Any) -> NewItems:
        """New videos; of each, the last F_in frames are seen.

        Args:
            given: a .npy or .npz file or an array: clips in the layout of training ([N, T, H, W] or [N, T, H, W, C]
                where it read none), or one of them; an animated GIF; or a folder of numbered pictures, or of such
                folders.

        Raises:
            DiagnosticError: D1xx and D2xx, it cannot be read; D233 a clip is shorter than F_in; D310, frames are of
                another shape.
        """
        if not isinstance(given, Path):
            return self._array(given_array(given, "frames"), _IN_MEMORY)
        path = place(given)
        suffix = path.suffix.lower()
        if suffix == ".npy" and path.is_file():
            return self._array(open_npy(path, mapped=True), path)
        if suffix == ".npz" and path.is_file():
            arrays = open_npz(path)
            name = next((one for one in ONE if one in arrays), next(iter(arrays)) if len(arrays) == 1 else "")
            if not name:
                message = f"`{path.name}` holds {', '.join(arrays) or 'nothing'}"
                raise data_error("D230", message, file=path, path="", help="it needs one array, or `frames`")
            return self._array(arrays[name], path)
        decode = Decoder(self.reading, self.tones)
        if suffix == ".gif" and path.is_file():
            item = NewItem(path.name, lambda: self._fitting(decode.frames(path, path.name), path.name, path))
            return NewItems(iter([item]), 1, doubts=lambda: list(picture_warnings(decode.findings(), str(path))))
        if path.is_file():
            help = "it reads .npy, .npz, .gif, and folders of numbered pictures"
            raise data_error("D105", f"`{path.name}` is not of a kind that is read", file=path, path="", help=help)
        return self._folder(path)

    def _folder(self, folder: Path) -> NewItems:
        source = folder_source(folder, self.reading, self.tones)

        def items() -> Iterator[NewItem]:
            number = 0
            for part in source.parts:
                for run in part.items():
                    name = str(number)
                    yield NewItem(name, lambda frames=run.frames, name=name: self._fitting(frames, name, folder))  # type: ignore[misc]
                    number += 1

        return NewItems(items(), None, doubts=lambda: list(picture_warnings(source.findings(), str(folder))))

    def _array(self, data: Any, path: Path) -> NewItems:
        layout = self.layout or ("ntchw" if self.format == "taxibj" else "nthw" if data.ndim < 5 else "nthwc")
        if self.layout is None and self.format != "taxibj" and data.ndim == 4 and data.shape[1:] == self.shape:
            layout = "nthwc"  # one clip of frames with channels
        if data.ndim == len(layout) - 1:
            data = data[:, None] if layout == "tnhw" else data[None]
        if data.ndim != len(layout) or 0 in data.shape:
            message = f"`{path.name}` holds {list(data.shape)}, and the model takes {' x '.join(layout)}"
            raise DiagnosticError(
                Diagnostic("D310", message, file=str(path), help="n clips, t time, h rows, w columns")
            )
        check_type(data.dtype, path)
        clips = to_clips(data, layout, path)
        refuse_shape(clips.shape, self.shape, path.name, path, "arrays are taken as they are: resize the frames")
        low = -1.0 if self.format == "taxibj" else 0.0

        def read(number: int) -> Any:
            first, length = int(clips.firsts[number]), int(clips.lengths[number])
            frames = clips.frames[first : first + clips.step * length : clips.step][:length]
            return self._fitting(to_pixels(frames[-self.seen :], path, low), str(number), path)

        items = (NewItem(str(number), lambda number=number: read(number)) for number in range(len(clips.firsts)))  # type: ignore[misc]
        return NewItems(items, len(clips.firsts))

    def _fitting(self, frames: Any, name: str, path: Path) -> Any:
        """The last F_in frames, float32 in 0..1 or uint8."""
        if len(frames) < self.seen:
            message = f"clip `{name}` has {len(frames)} frames, and the model sees {self.seen}"
            raise data_error("D233", message, file=path, path="", help="a missing number ends a clip")
        refuse_shape(frames.shape[1:], self.shape, name, path, "bring frames of the size and channels of training")
        return frames[-self.seen :]

    def batch(self, contents: Sequence[Any]) -> VideoBatch:
        """Frames [F_in, H, W, C] of clips as whole sequences, with black frames ahead."""
        seen = to_frames(np.stack([np.ascontiguousarray(one) for one in contents]))
        black = torch.zeros(len(seen), self.ahead, *seen.shape[2:])
        return VideoBatch(torch.cat((seen, black), dim=1), self.seen)
