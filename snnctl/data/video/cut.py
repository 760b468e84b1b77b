"""Which windows of a video set are train, val and test, where its makers have not said so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnctl.core.seeds import stream_seed
from snnctl.data.cuts import Share, refuse_empty
from snnctl.data.problems import data_error
from snnctl.data.video.clips import By, Clips, VideoSet, Windows, lay_windows


@dataclass(frozen=True)
class SplitWindows:
    """One split: windows of one part of the set."""

    part: str
    windows: Windows


def cut_windows(
    found: VideoSet, length: int, stride: int | None, val: Share, test: Share, by: By | None, seed: int
) -> dict[str, SplitWindows]:
    """Split -> windows of `length` frames.

    The makers' parts are kept. What is missing is taken from train, or from a set that is not cut: whole groups of
    clips, drawn with `seed`; or the end of it in time order, test last, and windows before it that show a frame of it
    are left out. No clip is in two splits in the first case, no frame in either.

    Args:
        val, test: share of the groups (by clip) or windows (by time), or how many of them; at least one.
        by: None = as the set says, and in time order where there are too few clips.

    Raises:
        DiagnosticError: D233 no clip is long enough, D230 no part to train on, R320 an empty split.
    """
    laid = {name: lay_windows(clips, length, stride, from_end=found.from_end) for name, clips in found.parts.items()}
    for name, windows in laid.items():
        if not len(windows):
            raise _too_short(found, name, length)
    if "train" in laid and "test" in laid:
        made = {"test": SplitWindows("test", laid["test"])}
        if "val" in laid:
            made |= {name: SplitWindows(name, laid[name]) for name in ("train", "val")}
        else:
            parts = _take(found, "train", laid["train"], {"val": val}, length, by, seed)
            made |= {name: SplitWindows("train", windows) for name, windows in parts.items()}
    elif len(laid) == 1:
        ((part, windows),) = laid.items()
        parts = _take(found, part, windows, {"test": test, "val": val}, length, by, seed)
        made = {name: SplitWindows(part, windows) for name, windows in parts.items()}
    else:
        raise data_error("D230", f"it has the parts {', '.join(laid)}, not train and test", file=found.origin)
    ordered = {name: made[name] for name in ("train", "val", "test")}
    more = ", or lower `data.stride` for more windows" + (", or set `data.by: time`" if by == "clip" else "")
    refuse_empty({name: len(split.windows) for name, split in ordered.items()}, found.origin, more)
    return ordered


def _take(
    found: VideoSet, part: str, windows: Windows, wanted: dict[str, Share], length: int, by: By | None, seed: int
) -> dict[str, Windows]:
    """`windows` without what the wanted splits take, and those."""
    clips = found.parts[part]
    groups = np.unique(clips.groups[windows.clips])
    by = by or (found.by if len(groups) > len(wanted) else "time")
    if by == "time":
        return _by_time(clips, windows, wanted, length, found.shared)
    made = {}
    left = groups
    for name, share in wanted.items():
        random = np.random.default_rng(stream_seed(seed, "split", 0 if name == "test" else 1))
        drawn = random.permutation(left)[: _count(share, len(left))]
        made[name] = windows[np.isin(clips.groups[windows.clips], drawn)]
        left = np.setdiff1d(left, drawn)
    return {"train": windows[np.isin(clips.groups[windows.clips], left)], **made}


def _by_time(clips: Clips, windows: Windows, wanted: dict[str, Share], length: int, shared: int) -> dict[str, Windows]:
    made: dict[str, Windows] = {}
    left = windows
    for name, share in wanted.items():  # test first: it is the last in time
        begin = max(0, len(left) - _count(share, len(left)))
        made[name] = left[begin:]
        left = left[:begin]
        if len(made[name]):
            first, offset = int(made[name].clips[0]), int(made[name].offsets[0])
            near = first - left.clips
            same = (near == 0) & (left.offsets + length > offset)
            left = left[~(same | ((near > 0) & (near <= shared)))]
    return {"train": left, **made}


def _count(share: Share, of: int) -> int:
    return share if isinstance(share, int) else max(1, round(of * share))


def _too_short(found: VideoSet, part: str, length: int) -> Exception:
    longest = int(found.parts[part].lengths.max(initial=0))
    message = f"the longest clip of {part} has {longest} frames, and a window takes {length}"
    help = "lower `data.frames_in` or `data.frames_out`; or `data.layout` names the axes in another order"
    return data_error("D233", message, file=found.origin, path="data.frames_in", help=help)
