"""The kinds that are not on the common road yet: what `snnctl.data.kinds` asks of their `prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snnctl.data.base import DataSource
from snnctl.data.cache import Progress
from snnctl.data.prepare import Prepared


def images(name: str, source: Path | None = None, progress: Progress | None = None) -> Prepared:
    """To be `images.prepare.prepare`."""
    from snnctl.data.images.prepare import prepare_known

    return _images(prepare_known(name, source=source, progress=progress), name, name)


def _images(found: Any, name: str, known: str) -> Prepared:
    from snnctl.data.images.known import KNOWN_IMAGES
    from snnctl.data.images.store import STORE

    facts = {
        "items": sum(found.parts.values()),
        "parts": found.parts,
        "shape": " x ".join(map(str, found.shape)),
        "classes": len(found.classes),
    }
    words = f"{facts['items']:,} images of {facts['shape']} in {facts['classes']} classes"
    note = KNOWN_IMAGES[known].note if known in KNOWN_IMAGES else ""
    return Prepared(name, STORE.path(found.key), facts, words, found.bytes, found.licence, note)


def events(name: str, source: Path | None = None, progress: Progress | None = None) -> Prepared:
    """To be `events.prepare.prepare`."""
    from snnctl.data.events.prepare import prepare_spikes

    return _events(prepare_spikes(name, source, progress=progress), name, name)


def _events(found: Any, name: str, known: str) -> Prepared:
    from snnctl.data.events.known import KNOWN_SPIKES
    from snnctl.data.events.store import STORE

    facts = {
        "items": sum(found.parts.values()),
        "parts": found.parts,
        "spikes": sum(found.spikes.values()),
        "units": found.units,
        "classes": len(found.classes),
    }
    words = f"{facts['items']:,} recordings, {facts['spikes']:,} spikes of {found.units} units in {facts['classes']}"
    words += " classes"
    note = KNOWN_SPIKES[known].note if known in KNOWN_SPIKES else ""
    return Prepared(name, STORE.path(found.key), facts, words, found.bytes, found.licence, note)


def video(name: str, source: Path | None = None, progress: Progress | None = None) -> Prepared:
    """To be `video.prepare.prepare`."""
    from snnctl.data.video.prepare import prepare_videos
    from snnctl.data.video.store import STORE, open_videos

    manifest = prepare_videos(name, source=source, progress=progress)
    return _video(open_videos(manifest), name, name, STORE.path(manifest.key))


def _video(found: Any, name: str, known: str, path: Any) -> Prepared:
    from snnctl.data.video.known import KNOWN_VIDEOS

    parts = {part: len(clips.lengths) for part, clips in found.parts.items()}
    frames = sum(int(clips.lengths.sum()) for clips in found.parts.values())
    facts = {"parts": parts, "frames": frames, "frame": " x ".join(map(str, found.shape))}
    words = f"{sum(parts.values()):,} clips, {frames:,} frames of {facts['frame']}"
    note = KNOWN_VIDEOS[known].note if known in KNOWN_VIDEOS else ""
    return Prepared(name, path, facts, words, found.bytes, found.licence, note)


def of_component(component: Any, progress: Progress | None, brought: Path | None) -> tuple[Prepared, ...]:
    """To be the method `prepare` of the components; a plug-in without one has nothing to prepare."""
    from snnctl.data.images.known import KNOWN_IMAGES
    from snnctl.data.video.known import KNOWN_VIDEOS

    name = type(component).__name__
    if isinstance(component, DataSource):
        return component.prepare(progress, brought)
    source = str(getattr(component, "source", ""))
    if name == "SequentialImage":
        source = component._image.source
    if name == "EventSpikes":
        if component.known:
            return (
                _events(
                    __import__("snnctl.data.events.prepare", fromlist=["x"]).prepare_spikes(
                        source, brought, progress=progress
                    ),
                    "",
                    source,
                ),
            )
        return (_events(component.prepare(progress), "", source),)
    if name in ("Image", "EventFrames", "SequentialImage", "MovingDigits"):
        rows: tuple[Prepared, ...] = ()
        if brought is not None and source in KNOWN_IMAGES:
            from snnctl.data.images.prepare import prepare_known

            rows = (_images(prepare_known(source, source=brought, progress=progress), "", source),)
        elif source != "builtin":
            rows = (_images(component.prepare(progress), "", source),)
        if name == "MovingDigits" and component.test_file in KNOWN_VIDEOS:
            from dataclasses import replace

            rows += (replace(video(component.test_file, brought, progress), name=""),)
        return rows
    if name == "Video":
        found = component.prepare(progress, brought)
        return (_video(found, "", source, found.origin),)
    return ()
