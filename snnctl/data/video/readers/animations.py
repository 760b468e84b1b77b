"""Videos as animated GIFs: each file is a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from snnctl.data.cache import Part
from snnctl.data.decoding import Decoder, frame_count
from snnctl.data.video.clips import Run, VideoSource


def animated(names: list[str], folder: Path) -> dict[str, int]:
    """Name -> frames, where all of `names` are GIFs and one of them is animated; else empty; raises D220."""
    if not all(name.lower().endswith(".gif") for name in names):
        return {}
    counts = {name: frame_count(folder / name, name) for name in sorted(names)}
    return counts if max(counts.values(), default=1) > 1 else {}


def animated_source(counts: Mapping[str, int], parts: Mapping[str, str], folder: Path, decode: Decoder) -> VideoSource:
    """One clip a file.

    Args:
        counts: name -> frames.
        parts: name -> part.
    """

    def read(names: list[str]) -> Iterator[Run]:
        for name in names:
            yield Run(decode.frames(folder / name, name), group[name])

    group = {name: number for number, name in enumerate(counts)}
    found = {part: [name for name in counts if parts[name] == part] for part in dict.fromkeys(parts.values())}
    made = tuple(Part(part, sum(counts[name] for name in names), partial(read, names)) for part, names in found.items())
    return VideoSource(made, str(folder), "gif", findings=decode.findings)
