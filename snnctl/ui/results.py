"""The tables that close a run: metrics beside baselines, spikes per layer, where it lies, what to try next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.core.better import better_when
from snnctl.ui.console import table
from snnctl.ui.diagnostics import show_data_warnings, show_verdicts
from snnctl.ui.intervals import show_intervals
from snnctl.ui.words import bar, duration, figure, percent, rate, size, spread

_BAR = 20
_COLUMNS = 8  # shown of a series; the document has all
_UNSCALED = "none"  # the scaler that leaves values as they are


def show_results(console: Console, results: Mapping[str, Any], *, positions: bool = True) -> None:
    """One run; `positions` tells whether its network can have one."""
    split = results["split"]
    scores = {_own(results, "this run"): _short_names(results["metrics"], split), **results["baselines"]}
    _scores(console, f"{results['name']}: {split} split, seed {results['seed']}", _in_units(scores, results))
    _scaled(console, results.get("units"))
    _omitted(console, results)
    _columns(console, results.get("columns") or {})
    show_intervals(console, results.get("intervals"), results["split"])
    console.print()
    _layers(console, results["spikes"])
    _input(console, results.get("input"))
    _leaks(console, results["leaks"])
    _execution(console, results.get("execution"))
    show_data_warnings(console, results.get("data_warnings", ()))
    if results.get("data_warnings") and results["health"]:
        console.print()
    show_verdicts(console, results["health"])
    if "seconds" in results:
        console.print(
            f"\n{results['epochs_done']} epochs in {duration(results['training_seconds'])}"
            f" ({rate(results['samples_per_second'])} samples/s), best validation at epoch {results['best_epoch']},"
            f" {results['parameters']:,} parameters"
        )
    console.print(f"\nrun directory: {escape(results['run'])}", soft_wrap=True)
    if "seconds" in results:
        _next(console, results["run"], positions, forecasts=results.get("units") is not None)


def _execution(console: Console, found: Mapping[str, Any] | None) -> None:
    """How layers that spikes drive were run, where that was asked for."""
    if found is None:
        return
    rows = found["layers"]
    widest = max((row["bits"] for row in rows), default=0)
    said = f"{len(rows)} layers ran on whole numbers of up to {widest} bits"
    if "worst_difference" in found:
        worst = found["worst_difference"]
        same = "equal bit for bit" if worst == 0 else f"they differ by up to {worst:g}"
        said += f", as binary planes and as they are: {same}"
    console.print(f"\nexecution {found['mode']}: {said}; {len(found['driven_by_real_numbers'])} driven by real numbers")


def _own(document: Mapping[str, Any], what: str) -> str:
    """The name of the network's own row; what does not spike is named."""
    kind = "spiking" if document.get("spiking", True) else "non-spiking twin"
    return f"{kind}{' + linear skip' if document['skip'] else ''} ({what})"


def _next(console: Console, run: str, positions: bool, *, forecasts: bool) -> None:
    console.print("next:")
    recipe, run = shlex.quote(f"{run}/recipe.yaml"), shlex.quote(run)
    predict = (f"snnctl predict {run} --output forecast.csv --plot forecast.png", "what comes next, in your own units")
    no_position = (f"snnctl train {recipe} --set model.position=none", "the same without position encoding")
    for command, why in (
        *((predict,) if forecasts else ()),
        (f"snnctl eval {run} --split val", "measure another split"),
        (f"snnctl show {recipe}", "every value that was used"),
        (f"snnctl train {recipe} --seeds 1,2,3", "mean and sd over seeds"),
        *((no_position,) if positions else ()),
        (f"snnctl train {recipe} --set model.spiking=false", "its non-spiking twin, the fair baseline"),
    ):
        console.print(f"  {escape(command)}   [dim]{why}[/]", soft_wrap=True)


def show_seeds(console: Console, document: Mapping[str, Any]) -> None:
    """Several seeds: mean and standard deviation beside the baselines."""
    split, count = document["split"], len(document["seeds"])
    scores: dict[str, Any] = {_own(document, f"mean of {count}"): _short_names(document["metrics"], split)}
    scores = _in_units(scores | document["baselines"], document)
    seeds = ", ".join(str(seed) for seed in document["seeds"])
    _scores(console, f"{document['name']}: {split} split, seeds {seeds}", scores)
    _scaled(console, document.get("units"))
    _omitted(console, document)
    _columns(console, document.get("columns") or {})
    spikes = document["spikes"]
    if document.get("spiking", True):
        console.print(
            f"\nmean rate {_cell(spikes['mean_rate'])}  silent channels {_cell(spikes['silent_share'])}"
            f"  saturated {_cell(spikes['saturated_share'])}"
        )
    _leaks(console, document["leaks"])
    show_data_warnings(console, document.get("data_warnings", ()))
    console.print(f"\n{duration(document['seconds'])} in all; run directories:")
    for run in document["run"]:
        console.print(f"  {escape(run)}", soft_wrap=True)


def show_interrupted(console: Console, document: Mapping[str, Any], seeds: int) -> None:
    """What was stopped, and how to go on with it; of runs that trained together, how many of the `seeds` are done."""
    epochs, runs = document["epochs_done"], document["run"]
    if not isinstance(epochs, list):
        run = runs[-1] if isinstance(runs, list) else runs
        console.print(
            f"interrupted after {epochs} epochs; saved. Go on with:\n  snnctl train --resume {run}", soft_wrap=True
        )
        return
    console.print(
        f"interrupted: {len(runs) - len(epochs)} of {seeds} seeds are done, {len(epochs)} are saved. With --out the "
        "same command and --continue goes on; `snnctl train --resume RUN` with a single one:",
        soft_wrap=True,
    )
    for run in runs[len(runs) - len(epochs) :]:
        console.print(f"  {run}", soft_wrap=True)


def _short_names(metrics: Mapping[str, Any], split: str) -> dict[str, Any]:
    return {name.removeprefix(f"{split}/"): value for name, value in metrics.items()}


def _scores(console: Console, title: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
    first = next(iter(scores.values()))
    names = [name for name in first if name != "loss"]
    console.print(f"[bold]{escape(title)}[/]", soft_wrap=True)  # a table's own title wraps at the width of the table
    shown = table("", *[f">{name}" for name in names])
    for model, values in scores.items():
        cells = []
        for name in names:
            best = _best(name, [_number(other.get(name)) for other in scores.values()])
            cell = _cell(values.get(name))
            own = _number(values.get(name))
            cells.append(f"[good]{cell}[/]" if own is not None and own == best else cell)
        shown.add_row(f"[bold]{escape(model)}[/]" if values is first else escape(model), *cells)
    console.print(shown)


def _best(name: str, values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    direction = better_when(name)
    if not known or direction is None:
        return None
    return min(known) if direction == "min" else max(known)


def _number(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = value["mean"]
    return value if value is not None and value == value else None


def _cell(value: Any) -> str:
    return spread(value) if isinstance(value, Mapping) else figure(value)


def _in_units(scores: Mapping[str, Mapping[str, Any]], results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Beside metrics of scaled values those in the data's own units, where they are the same for all columns."""
    units = results.get("units")
    rows = {name: dict(row) for name, row in scores.items()}
    if units and units["scaler"] != _UNSCALED:
        for row, own in ((next(iter(rows)), units["metrics"]), *units["baselines"].items()):
            rows[row] |= {f"{name}, own units": value for name, value in own.items()}
    return rows


def _scaled(console: Console, units: Mapping[str, Any] | None) -> None:
    """What the metrics are of: without it 0.4 degrees and 0.4 standard deviations read alike."""
    if not units or not units["scaler"]:
        return
    if units["scaler"] == _UNSCALED:
        console.print("[dim]metrics are in the data's own units[/]")
    else:
        own = "; own units are those of the data" if units["metrics"] else "; below by column in the data's own units"
        console.print(f"[dim]metrics are of values that the scaler `{escape(units['scaler'])}` has scaled{own}[/]")


def _columns(console: Console, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """The columns that make up most of the squared error, the worst first."""
    if len(columns) < 2:
        return
    order = sorted(columns.items(), key=lambda item: -(_number(item[1]["share"]) or 0.0))
    baselines = list(order[0][1].get("baselines", {}))
    console.print("\n[bold]by column[/], the largest share of the squared error first")
    own = (">rmse, own units", ">mae, own units")
    shown = table("column", ">share", ">mse", ">mae", *own, *(f">{name}" for name in baselines))
    for name, row in order[:_COLUMNS]:
        share = _number(row["share"])
        cells = (_cell(row[key]) for key in ("mse", "mae", "rmse_units", "mae_units"))
        others = (_cell(row["baselines"][other]["mae_units"]) for other in baselines)
        shown.add_row(escape(name), percent(share), *cells, *others)
    console.print(shown)
    hidden = len(order) - _COLUMNS
    notes = [f"and {hidden} more column{'s' * (hidden > 1)}; --json lists all"] * (hidden > 0)
    notes += ["baselines: their mae in own units"] * bool(baselines)
    if notes:
        console.print(f"[dim]{'; '.join(notes)}[/]")


def _omitted(console: Console, results: Mapping[str, Any]) -> None:
    for name, reason in results["baselines_omitted"].items():
        console.print(f"[dim]{name}: {escape(reason)}[/]")


def _leaks(console: Console, leaks: Sequence[str]) -> None:
    for leak in leaks:
        console.print(f"[bold red]leaky: true[/]  {escape(leak)}")


def _layers(console: Console, spikes: Mapping[str, Any]) -> None:
    if not spikes["layers"]:
        console.print("no layer of this network spikes")
        return
    shown = table("layer", ">channels", ">rate", "", ">silent", ">saturated")
    for layer in spikes["layers"]:
        shown.add_row(
            layer["name"],
            str(layer["channels"]),
            figure(layer["rate"], 3),
            bar(layer["rate"] / layer["levels"], _BAR),
            f"{layer['silent_share']:.0%}",
            f"{layer['saturated_share']:.0%}",
        )
    shown.add_row(
        "[bold]all[/]",
        "",
        figure(spikes["mean_rate"], 3),
        "",
        percent(spikes["silent_share"]),
        percent(spikes["saturated_share"]),
    )
    console.print(shown)


def _input(console: Console, found: Mapping[str, Any] | None) -> None:
    """Said where items are empty: layers that are silent on those are well."""
    if found is not None and (found["empty_items"] or 0) > 0:
        shares = f"{found['empty_items']:.1%} of the items that went in are all zero"
        console.print(f"input: {shares}; {found['nonzero']:.1%} of all values are not")


def show_forecast(console: Console, found: Mapping[str, Any]) -> None:
    """What a run would cost."""
    console.print(f"[bold]{escape(found['name'])}[/]  dry run on {found['device']}; nothing was written\n")
    layers = (
        (layer["name"], layer["type"], " x ".join(map(str, layer["shape"])), f"{layer['parameters']:,}")
        for layer in found["layers"]
    )
    console.print(table("layer", "type", "output", ">parameters", rows=layers))
    console.print()
    facts = (
        ("signals", "  ->  ".join(f"{name} ({signal})" for name, signal in found["signals"].items())),
        ("parameters", f"{found['parameters']:,}"),
        ("items", "  ".join(f"{name} {count:,}" for name, count in found["items"].items())),
        ("steps", f"{found['steps_per_epoch']:,} per epoch x {found['epochs']} epochs"),
        ("speed", f"{rate(found['samples_per_second'])} samples/s ({found['step_seconds'] * 1000:.0f} ms a step)"),
        ("time", f"{duration(found['epoch_seconds'])} per epoch, {duration(found['seconds'])} in all"),
        ("memory", "  ".join(f"{name.replace('_', ' ')} {size(n)}" for name, n in found["memory"].items())),
    )
    console.print(table("", "", rows=((f"[key]{key}[/]", escape(value)) for key, value in facts)))
    if found["cut_short"]:
        steps = "the first step alone, which is slower than the rest" if found["steps_timed"] == 1 else "few steps"
        console.print(f"[dim]steps are long: timed on {steps}; validation by the forward pass of a step[/]")
    _leaks(console, found["leaks"])
    show_data_warnings(console, found["data_warnings"])
