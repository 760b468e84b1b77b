"""`snnctl data`: fetch, verify and inspect data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import Set, Unset
from snnctl.cli.session import Session
from snnctl.core.diagnostic import Diagnostic, DiagnosticError

app = typer.Typer(no_args_is_help=True, help="Prepare and inspect data.")


_SHIPPED = "builtin"  # of data that is made rather than read
_OF_A_RECIPE = ("window", "horizon", "splits", "scaler", "window_norm", "calendar_features", "leaks")


def _complete(incomplete: str) -> list[str]:
    from snnctl.data.events.known import KNOWN_SPIKE_NAMES
    from snnctl.data.images.known import KNOWN_IMAGE_NAMES
    from snnctl.data.series.known import KNOWN_NAMES
    from snnctl.data.texts.known import TEXT_NAMES
    from snnctl.data.video.known import KNOWN_VIDEO_NAMES

    names = (*KNOWN_NAMES, *KNOWN_IMAGE_NAMES, *TEXT_NAMES, *KNOWN_SPIKE_NAMES, *KNOWN_VIDEO_NAMES)
    return [name for name in names if name.startswith(incomplete)]


@app.command("prep")
def prep(
    ctx: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(help="Known names, or recipes whose data is meant.", autocompletion=_complete),
    ],
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A local file instead of a download.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where prepared data lies.", show_default=False)
    ] = None,
) -> int:
    """Get named data ready: fetch or copy, verify, convert into the cache, write a manifest with checksums."""
    session: Session = ctx.obj
    if from_ is not None and len(names) > 1:
        raise DiagnosticError(
            Diagnostic("U430", "--from takes one name", help="prepare the others in calls of their own")
        )
    from snnctl.data.series.store import caching_in

    with caching_in(cache):
        rows = [row for name in names for row in _prepared(name, from_, session)]

    def show(console: Any) -> None:
        for row in rows:
            if "spikes" in row:
                what = (
                    f"{row['items']:,} recordings, {row['spikes']:,} spikes of {row['units']} units in"
                    f" {row['classes']} classes"
                )
            elif "frames" in row:
                what = f"{sum(row['parts'].values()):,} clips, {row['frames']:,} frames of {row['frame']}"
            elif "shape" in row:
                what = f"{row['items']:,} images of {row['shape']} in {row['classes']} classes"
            else:
                what = f"{row['rows']:,} rows x {row['columns']} columns, {row['missing']:,} missing"
            console.print(f"[bold]{row['name']}[/] {row['status']}: {what}  [dim]{row['path']}[/]", soft_wrap=True)
            console.print(f"  licence: {row['licence']}" + (f"; {row['note']}" if row["note"] else ""), soft_wrap=True)

    return session.answer({"prepared": rows}, show)


def _prepared(name: str, source: Path | None, session: Session) -> list[dict[str, Any]]:
    """What a name or a recipe brings: a recipe of moving digits may bring images and videos."""
    from snnctl.data.series.prepare import prepare
    from snnctl.ui.transfer import transfer

    special = [row for kind in (_images, _spikes, _videos) if (row := kind(name, source, session)) is not None]
    if special:
        return special
    known = _source_of(name) if name.endswith((".yaml", ".yml")) else name
    with transfer(session.console, known, shown=not (session.json or session.quiet)) as progress:
        found = prepare(known, source=source, progress=progress)
    return [{**asdict(found), "path": str(found.path)}]


def _images(name: str, source: Path | None, session: Session) -> dict[str, Any] | None:
    """Prepare an image set, by its name or by the recipe that uses one; None where no images are meant."""
    from snnctl.data.images.known import KNOWN_IMAGES

    recipe = None
    if name.endswith((".yaml", ".yml")):
        from snnctl.recipe import load_recipe

        recipe = load_recipe(name)
        kind, origin = recipe.values["data"]["type"], recipe.values["data"].get("source")
        digits = kind == "moving_digits" and origin != _SHIPPED
        if kind not in ("image", "event_frames", "sequential_image") and not digits:
            return None
    elif name not in KNOWN_IMAGES:
        return None
    from snnctl.build import make
    from snnctl.data.images.prepare import prepare_known
    from snnctl.data.images.store import images_folder
    from snnctl.ui.transfer import transfer

    known = KNOWN_IMAGES.get(name if recipe is None else str(recipe.values["data"].get("source")))
    with transfer(session.console, name, shown=not (session.json or session.quiet)) as progress:
        if recipe is None or (source is not None and known is not None):
            assert known is not None
            found = prepare_known(known.name, source=source, progress=progress)
        else:
            found = make("data", recipe.values["data"]).prepare(progress)
    return {
        "name": name,
        "status": "ready",
        "path": str(images_folder() / found.key),
        "items": sum(found.parts.values()),
        "parts": found.parts,
        "shape": " x ".join(map(str, found.shape)),
        "classes": len(found.classes),
        "bytes": found.bytes,
        "licence": found.licence or "unknown",
        "note": known.note if known is not None else "",
    }


def _spikes(name: str, source: Path | None, session: Session) -> dict[str, Any] | None:
    """Prepare recordings of spikes, by their name or by the recipe that uses them; None where none are meant."""
    from snnctl.data.events.known import KNOWN_SPIKES

    recipe = None
    if name.endswith((".yaml", ".yml")):
        from snnctl.recipe import load_recipe

        recipe = load_recipe(name)
        if recipe.values["data"]["type"] != "event_spikes":
            return None
    elif name not in KNOWN_SPIKES:
        return None
    from snnctl.data.events.prepare import prepare_spikes
    from snnctl.data.events.store import spikes_folder
    from snnctl.ui.transfer import transfer

    known = KNOWN_SPIKES.get(name if recipe is None else str(recipe.values["data"]["source"]))
    with transfer(session.console, name, shown=not (session.json or session.quiet)) as progress:
        if known is not None:
            found = prepare_spikes(known.name, source, progress=progress)
        else:
            from snnctl.build import make

            assert recipe is not None
            found = make("data", recipe.values["data"]).prepare(progress)
    return {
        "name": name,
        "status": "ready",
        "path": str(spikes_folder() / found.key),
        "items": sum(found.parts.values()),
        "parts": found.parts,
        "spikes": sum(found.spikes.values()),
        "units": found.units,
        "classes": len(found.classes),
        "bytes": found.bytes,
        "licence": found.licence or "unknown",
        "note": known.note if known is not None else "",
    }


def _videos(name: str, source: Path | None, session: Session) -> dict[str, Any] | None:
    """Prepare videos, by their name or by the recipe that uses them; None where none are meant."""
    from snnctl.data.video.known import KNOWN_VIDEOS

    recipe, meant = None, name
    if name.endswith((".yaml", ".yml")):
        from snnctl.recipe import load_recipe

        recipe = load_recipe(name)
        data = recipe.values["data"]
        meant = str(data.get({"video": "source", "moving_digits": "test_file"}.get(data["type"], "")))
        if data["type"] != "video" and (data["type"] != "moving_digits" or meant not in KNOWN_VIDEOS):
            return None
    elif name not in KNOWN_VIDEOS:
        return None
    from snnctl.build import make
    from snnctl.data.video.prepare import prepare_videos
    from snnctl.data.video.store import open_videos, videos_folder
    from snnctl.ui.transfer import transfer

    known = KNOWN_VIDEOS.get(meant)
    with transfer(session.console, name, shown=not (session.json or session.quiet)) as progress:
        if recipe is None or data["type"] != "video":
            manifest = prepare_videos(meant, source=source, progress=progress)
            found, path = open_videos(manifest), str(videos_folder() / manifest.key)
        else:
            component = make("data", data)
            found = component.prepare(progress, source)
            path = found.origin
    return {
        "name": name,
        "status": "ready",
        "path": path,
        "parts": {part: len(clips.lengths) for part, clips in found.parts.items()},
        "frames": sum(int(clips.lengths.sum()) for clips in found.parts.values()),
        "frame": " x ".join(map(str, found.shape)),
        "bytes": found.bytes,
        "licence": found.licence or "unknown",
        "note": known.note if known is not None else "",
    }


def _source_of(recipe: str) -> str:
    """The named series that a recipe uses; a recipe whose data is a file needs no preparation."""
    from snnctl.recipe import load_recipe

    loaded = load_recipe(recipe)
    data = loaded.values["data"]
    if data.get("source", _SHIPPED) == _SHIPPED:
        message = f"`{recipe}` makes its data `{data['type']}` itself; nothing to prepare"
        raise DiagnosticError(Diagnostic("U431", message, help="snnctl data info RECIPE looks into it"))
    source = str(data["source"])
    if "/" in source or "\\" in source:
        message = f"`{recipe}` reads the file `{source}` as it is; nothing to prepare"
        raise DiagnosticError(Diagnostic("U431", message, help="snnctl data info RECIPE looks into it"))
    return source


@app.command("info")
def info(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="A recipe, a data file, or a known name.", autocompletion=_complete)],
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
) -> int:
    """Show what data holds: rows, columns, gaps, dates, splits in rows and windows, statistics, leaks."""
    session: Session = ctx.obj
    from snnctl.ui.tables import show_data

    if what.endswith((".yaml", ".yml")):
        from snnctl.build import load_data
        from snnctl.recipe import load_recipe

        data = load_data(load_recipe(what, set_, unset))
    else:
        from snnctl.core.catalog import DATA

        if set_ or unset:
            raise DiagnosticError(Diagnostic("U432", "--set and --unset change a recipe; none is given"))
        from snnctl.data.video.known import KNOWN_VIDEOS

        if what in KNOWN_VIDEOS:
            from snnctl.data.video.prepare import known_videos

            data = known_videos(what)
        else:
            data = DATA.get("timeseries")(source=what, window=1, horizon=1).load()
    facts = data.describe()
    if not what.endswith((".yaml", ".yml")):  # how it is cut and scaled is for a recipe to say
        facts = {key: facts[key] for key in facts if key not in _OF_A_RECIPE}
    document = {"source": what, **facts}
    return session.answer({"data": document}, lambda console: show_data(console, document))
