"""Videos as folders of numbered pictures: KTH's tree, or any folder of clips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from snnctl.data.cache import Part
from snnctl.data.decoding import Decoder
from snnctl.data.folders import files_below
from snnctl.data.pictures import SUFFIXES, Shape, spelled
from snnctl.data.problems import data_error
from snnctl.data.tones import Tones
from snnctl.data.video.clips import Run, VideoSource
from snnctl.data.video.readers.animations import animated, animated_source

ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
FAST = ("jogging", "running")  # recordings of these are short, so that windows overlap
FAST_STRIDE = 3
TRAIN_PERSONS = range(1, 17)
KTH_SIZE = (128, 128)
_PERSON = re.compile(r"person(\d\d)_([a-z]+)_")
_NUMBER = re.compile(r"(\d+)\D*$")
_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class FrameShape(Shape):
    """How frames are brought to one shape: scaled bilinearly, without regard to proportions.

    A single channel of a picture in colour is its first: the channels of a grey recording are alike but for noise.
    """

    def apply(self, picture: Any) -> Any:
        """A picture of Pillow in this shape."""
        from PIL import Image

        if self.channels == 1 and len(picture.getbands()) > 1:
            picture = picture.convert("RGB").getchannel(0)
        picture = self.coloured(picture)
        if self.size is not None and picture.size != self.size[::-1]:
            picture = picture.resize(self.size[::-1], Image.Resampling.BILINEAR)
        return picture


@dataclass(frozen=True)
class _Clip:
    """A folder: its frames by number, without gaps."""

    names: list[str]
    group: int
    stride: int = 0


def is_kth(folder: Path) -> bool:
    """Whether there are folders ACTION/personNN_ACTION_... in it."""
    return any(_PERSON.match(found.name) for action in ACTIONS for found in (folder / action).glob("person*"))


def kth_source(folder: Path, shape: FrameShape, tones: Tones) -> VideoSource:
    """`ACTION/personNN_ACTION_dK.../image_XXXX.jpg`: persons 1 to 16 train, 17 to 25 test, and stay together.

    Windows are laid from the end of a clip; those of jogging and running are 3 frames apart. A missing number ends a
    clip.

    Raises:
        DiagnosticError: D230, a folder or picture has another name; D220, a picture cannot be read.
    """
    found: dict[str, list[_Clip]] = {"train": [], "test": []}
    for action in ACTIONS:
        for clip in sorted((folder / action).iterdir()) if (folder / action).is_dir() else []:
            match = _PERSON.match(clip.name)
            if not clip.is_dir() or match is None:
                continue
            person = int(match[1])
            part = "train" if person in TRAIN_PERSONS else "test"
            files = [path.relative_to(folder).as_posix() for path in clip.iterdir() if path.name.startswith("image")]
            stride = FAST_STRIDE if action in FAST else 0
            found[part] += [_Clip(names, person, stride) for names in _without_gaps(files, folder)]
    if not all(found.values()):
        empty = next(part for part, clips in found.items() if not clips)
        raise data_error("D230", f"no person of {empty} is in it", file=folder, help="persons 1-16 train, 17-25 test")
    # The first channel of a grey recording is the picture.
    grey = FrameShape(shape.size or KTH_SIZE, shape.channels or 1)
    return replace(_source(found, folder, "kth", Decoder(grey, tones)), from_end=True)


def folder_source(folder: Path, shape: FrameShape, tones: Tones) -> VideoSource:
    """`[train|val|test/].../CLIP/x0001.png`: every folder with pictures is a clip, numbers are the order.

    Where all are GIFs and one is animated, every file is a clip.

    Raises:
        DiagnosticError: D230 no pictures or no numbers, D220 a picture cannot be read, D221 sizes differ.
    """
    pictures = [name for name in files_below(folder) if name.lower().endswith(SUFFIXES)]
    if not pictures:
        raise data_error("D230", "no pictures are in it", file=folder, help=f"it reads {', '.join(SUFFIXES)}")
    parts = {name: _PARTS.get(name.split("/")[0].lower(), "") for name in pictures}
    if not all(parts.values()):
        parts = dict.fromkeys(pictures, "all")
    counts = animated(pictures, folder)
    if counts:
        return animated_source(counts, parts, folder, Decoder(shape, tones))
    clips: dict[str, list[str]] = {}
    for name in pictures:
        clips.setdefault(PurePosixPath(name).parent.as_posix(), []).append(name)
    found: dict[str, list[_Clip]] = {}
    for group, name in enumerate(sorted(clips)):
        part = parts[clips[name][0]]
        found.setdefault(part, []).extend(_Clip(names, group) for names in _without_gaps(clips[name], folder))
    return _source(found, folder, "frames", Decoder(shape, tones))


def _without_gaps(names: list[str], folder: Path) -> list[list[str]]:
    """Names in the order of their numbers, cut where one is missing."""
    numbered: dict[int, str] = {}
    for name in sorted(names):
        match = _NUMBER.search(Path(name).stem)
        if match is None:
            raise data_error("D230", f"`{name}` has no number", file=folder, help="frames are put in order by number")
        if int(match[1]) in numbered:
            raise data_error("D230", f"`{numbered[int(match[1])]}` and `{name}` have one number", file=folder)
        numbered[int(match[1])] = name
    runs: list[list[str]] = []
    last = None
    for number in sorted(numbered):
        if last is None or number != last + 1:
            runs.append([])
        runs[-1].append(numbered[number])
        last = number
    return runs


def _source(found: dict[str, list[_Clip]], folder: Path, format: str, decode: Decoder) -> VideoSource:
    def read(clips: list[_Clip]) -> Iterator[Run]:
        first: Any = None
        for clip in clips:
            paths = [folder / name for name in clip.names]
            frames = [decode(path, path.name, path) for path in paths]
            for name, frame in zip(clip.names, frames, strict=True):
                first = frame if first is None else first
                if frame.shape != first.shape:
                    help = "set `data.size: [rows, columns]` and `data.channels` to bring all to one shape"
                    message = f"`{name}` is {spelled(frame.shape)}, the first one {spelled(first.shape)}"
                    raise data_error("D221", message, file=folder, path="data.size", help=help)
            yield Run(np.stack(frames), clip.group, clip.stride)

    parts = tuple(
        Part(part, sum(len(clip.names) for clip in clips), partial(read, clips)) for part, clips in found.items()
    )
    return VideoSource(parts, str(folder), format, findings=decode.findings)
