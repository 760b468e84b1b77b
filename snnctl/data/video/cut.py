"""Which windows of a video set are train, val and test, where its makers have not said so."""

from __future__ import annotations

import numpy as np

from snnctl.core.seeds import stream_seed
from snnctl.data.cuts import STREAMS, Share, cut_parts, refuse_empty
from snnctl.data.problems import data_error
from snnctl.data.video.clips import By, VideoSet, Windows, lay_windows


def cut_windows(
    found: VideoSet, length: int, stride: int | None, val: Share, test: Share, by: By | None, seed: int
) -> dict[str, tuple[str, Windows]]:
    """Split -> (part, windows of `length` frames over its clips).

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
    if len(laid) > 1 and not {"train", "test"} <= set(laid):
        raise data_error("D230", f"it has the parts {', '.join(laid)}, not train and test", file=found.origin)
    wanted = {"test": test, "val": val} if len(laid) == 1 else {"val": val}
    whole = next(iter(laid)) if len(laid) == 1 else "train"
    groups = np.unique(found.parts[whole].groups[laid[whole].clips])
    in_time = (by or (found.by if len(groups) > len(wanted) else "time")) == "time"

    def take(part: str, windows: Windows, name: str) -> tuple[Windows, Windows]:
        clips = found.parts[part]
        if in_time:
            return _end(windows, wanted[name], length, found.shared)
        groups = clips.groups[windows.clips]
        free = np.unique(groups)
        random = np.random.default_rng(stream_seed(seed, "split", STREAMS[name]))
        taken = np.isin(groups, random.permutation(free)[: _count(wanted[name], len(free))])
        return windows[~taken], windows[taken]

    made = cut_parts(laid, take)
    more = ", or lower `data.stride` for more windows" + (", or set `data.by: time`" if by == "clip" else "")
    refuse_empty({name: len(windows) for name, (_, windows) in made.items()}, found.origin, more)
    return made


def _end(windows: Windows, share: Share, length: int, shared: int) -> tuple[Windows, Windows]:
    """Windows without those at the end, and those."""
    begin = max(0, len(windows) - _count(share, len(windows)))
    left, taken = windows[:begin], windows[begin:]
    if len(taken):
        near = int(taken.clips[0]) - left.clips
        same = (near == 0) & (left.offsets + length > int(taken.offsets[0]))
        left = left[~(same | ((near > 0) & (near <= shared)))]
    return left, taken


def _count(share: Share, of: int) -> int:
    return share if isinstance(share, int) else max(1, round(of * share))


def _too_short(found: VideoSet, part: str, length: int) -> Exception:
    longest = int(found.parts[part].lengths.max(initial=0))
    message = f"the longest clip of {part} has {longest} frames, and a window takes {length}"
    help = "lower `data.frames_in` or `data.frames_out`; or `data.layout` names the axes in another order"
    return data_error("D233", message, file=found.origin, path="data.frames_in", help=help)
