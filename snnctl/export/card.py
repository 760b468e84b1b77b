"""The card of a bundle: what the model is, what it was measured on and beside what, how it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snnctl import __version__
from snnctl.core.better import better_direction
from snnctl.recipe import Recipe

SCHEMA = 1
_ENERGY = ("snn_joules", "snn_standard_error", "ann_twin_joules", "ratio", "rule", "complete")


def make_card(
    recipe: Recipe,
    results: Mapping[str, Any],
    model: Mapping[str, Any],
    *,
    made: Mapping[str, Any],
    fingerprint: str | None,
    source: str,
    energy: Mapping[str, Any] | None,
    licence: str | None,
    plugins: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """The card as plain values; the same run gives the same card.

    Args:
        results: of the run, measured on its test split.
        model: what the run remembers of its data.
        made: `{created, snnctl, torch, python}` of the training.
        fingerprint: of the data that it was trained on.
        source: name of that data, without its folder.
        energy: document of an energy estimate of these weights, or None.
        licence: whatever who hands it on says; None: nothing is said.
        plugins: `{name, sha256}` of each that is needed.
    """
    values = recipe.values
    data = {
        key: model.get(key) for key in ("columns", "past", "known", "id", "time", "step", "clock", "window", "horizon")
    }
    return {
        "schema": SCHEMA,
        "name": recipe.name,
        "summary": values.get("summary") or None,
        "task": values["task"]["type"],
        "licence": licence,
        "network": {
            "encoder": values["encoder"]["type"],
            "backbone": values["model"]["type"],
            "readout": values["readout"]["type"],
            "neuron": (values["model"].get("neuron") or {}).get("type"),
            "spiking": results["spiking"],
            "parameters": results["parameters"],
        },
        "data": {
            "type": values["data"]["type"],
            "source": source,
            "fingerprint": fingerprint,
            "trained_on_rows": model.get("trained_on_rows"),
            **{key: value for key, value in data.items() if value not in (None, [], ())},
            "warnings": [{"code": one["code"], "message": one["message"]} for one in results["data_warnings"]],
            "leaks": list(results["leaks"]),
        },
        "results": {
            "split": results["split"],
            "items": results["items"],
            "metrics": results["metrics"],
            "baselines": results["baselines"],
            "units": results.get("units"),
            "mean_firing_rate": results["spikes"]["mean_rate"] if results["spiking"] else None,
        },
        "energy": None if energy is None else _energy(energy),
        "plugins": [dict(one) for one in plugins],
        "trained": {
            "seed": results["seed"],
            "checkpoint": results["checkpoint"],
            "recipe_digest": recipe.digest(),
            **made,
        },
        "written_by": f"snnctl {__version__}",
    }


def _energy(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: document[key] for key in ("split", "samples", "steps", "coverage")},
        "uncounted": len(document["uncounted"]),
        "costs": {name: {key: cost.get(key) for key in _ENERGY} for name, cost in document["costs"].items()},
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The card for people, as Markdown."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    network, data, trained = card["network"], card["data"], card["trained"]
    yield f"# {_cell(card['name'])}\n"
    if card["summary"]:
        yield f"What its recipe says of itself: {_cell(card['summary'])}\n"
    spiking = "spiking" if network["spiking"] else "non-spiking"
    neuron = f", neuron {network['neuron']}" if network["neuron"] else ""
    parts = f"encoder {network['encoder']}, read-out {network['readout']}{neuron}"
    yield f"- Task: {card['task']}"
    yield f"- Network: {spiking} {network['backbone']}, {network['parameters']:,} parameters ({parts})"
    if card["task"] == "forecasting":
        yield f"- Takes {data['window']:,} rows, forecasts {data['horizon']:,} steps of {_names(data['columns'])}"
    yield f"- Licence: {_cell(card['licence'] or 'none was stated; ask who made it before you use it')}"
    yield from ("\n## How to use it\n", *_use(card))
    yield from ("\n## How good it is\n", *_results(card))
    yield from ("\n## What it was trained on\n", *_data(data))
    yield from ("\n## Energy\n", *_energy_lines(card["energy"]))
    yield "\n## How it was made\n"
    made = ", ".join(f"{name} {trained[name]}" for name in ("snnctl", "torch", "python") if trained.get(name))
    kept = trained["checkpoint"]
    yield f"- Seed {trained['seed']}, weights `{kept['path']}` of epoch {kept.get('epoch', 'unknown')}"
    yield f"- Recipe: `recipe.yaml` beside this card, resolved; its digest in the run was `{trained['recipe_digest']}`"
    yield f"- Trained {trained.get('created') or 'at a time that is not known'} with {made or 'unknown versions'}"
    yield f"- Written by {card['written_by']}"


def _use(card: Mapping[str, Any]) -> Iterator[str]:
    file = "FILE.snnctl"
    plugins = "".join(f" --plugin {_cell(one['name'])}" for one in card["plugins"])
    if card["task"] == "forecasting":
        yield f"```sh\nsnnctl predict {file} --input NEW.csv --output forecast.csv{plugins}\n```\n"
    else:
        yield f"```sh\nsnnctl predict {file} --input NEW{plugins}\n```\n"
    given = ", plugins=[" + ", ".join(f'"{_cell(one["name"])}"' for one in card["plugins"]) + "]" if plugins else ""
    yield f'```python\nimport snnctl\n\nmodel = snnctl.load("{file}"{given})\nmodel.predict(frame)\n```'
    if plugins:
        yield "\nIt needs plug-ins, which are code and not in the bundle; each is known by its SHA-256:\n"
        yield from (f"- {_cell(one['name'])}: `{one['sha256']}`" for one in card["plugins"])


def _results(card: Mapping[str, Any]) -> Iterator[str]:
    results = card["results"]
    split, metrics, baselines = results["split"], results["metrics"], results["baselines"]
    names = [name.partition("/")[2] for name in metrics]
    names = [name for name in names if name != "loss"] or names
    yield f"On {results['items']:,} items of its {split} split, which it was not trained on{_of(card)}:\n"
    yield f"| | {' | '.join(names)} |"
    yield f"|---|{'---:|' * len(names)}"
    yield f"| **this model** | {' | '.join(_figure(metrics[f'{split}/{name}']) for name in names)} |"
    for baseline, scores in baselines.items():
        yield f"| {_cell(baseline)} | {' | '.join(_figure(scores.get(name)) for name in names)} |"
    better = [
        f"{_cell(name)} ({', '.join(where)})" for name, where in _better(metrics, baselines, split, names) if where
    ]
    yield ""
    if baselines:
        yield f"Better than this model: {'; '.join(better)}." if better else "No baseline is better by any of these."
    else:
        yield "No baselines stand beside it."
    units = results["units"]
    if units and units.get("metrics"):
        told = ", ".join(f"{name} {_figure(value)}" for name, value in units["metrics"].items())
        yield f"\nIn the data's own units, over all columns: {told}."


def _of(card: Mapping[str, Any]) -> str:
    return ", of scaled values" if card["task"] == "forecasting" else ""


def _better(
    metrics: Mapping[str, Any], baselines: Mapping[str, Any], split: str, names: Sequence[str]
) -> Iterator[tuple[str, list[str]]]:
    """Baselines, and by which metrics they are better."""
    for baseline, scores in baselines.items():
        found = []
        for name in names:
            ours, theirs, way = metrics[f"{split}/{name}"], scores.get(name), better_direction(f"{split}/{name}")
            if ours is not None and theirs is not None and way is not None and theirs != ours:
                found += [name] if (theirs < ours) == (way == "min") else []
        yield baseline, found


def _data(data: Mapping[str, Any]) -> Iterator[str]:
    rows = data["trained_on_rows"]
    yield f"- {data['type']} `{_cell(data['source'])}`" + (f", {rows:,} rows with all splits" if rows else "")
    yield f"- Fingerprint of the data: `{data['fingerprint'] or 'not known'}`"
    for key, words in (
        ("past", "Covariates seen so far"),
        ("known", "Covariates known ahead"),
        ("id", "Series told by"),
    ):
        if data.get(key):
            yield f"- {words}: {_names(data[key])}"
    if data.get("clock"):
        yield f"- Clock: {_cell(data['clock'])}"
    yield from (f"- **Leaks**: {_cell(one)}" for one in data["leaks"])
    yield from (f"- {_cell(one['code'])}: {_cell(one['message'])}" for one in data["warnings"])


def _energy_lines(energy: Mapping[str, Any] | None) -> Iterator[str]:
    if energy is None:
        yield "Not estimated."
        return
    yield f"Estimated per sample, on {energy['samples']:,} samples of {energy['split']}, T = {energy['steps']}:\n"
    yield "| costs | rule | this network | non-spiking twin | ratio |\n|---|---|---:|---:|---:|"
    for name, cost in energy["costs"].items():
        twin = "-" if cost["ann_twin_joules"] is None else f"{cost['ann_twin_joules'] * 1e9:.4g} nJ"
        lower = "" if cost["complete"] else " (not all operations priced)"
        own = f"{cost['snn_joules'] * 1e9:.4g} nJ{lower}"
        yield f"| {_cell(name)} | {cost['rule']} | {own} | {twin} | {_figure(cost['ratio'])} |"
    yield "\nFigures of different tables are not comparable; the ratio is to the same recipe without spikes."


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{_cell(name)}`" for name in names[:12])
    return shown + (f" and {len(names) - 12:,} more" if len(names) > 12 else "")


def _cell(text: Any) -> str:
    """Text from data or recipes, without what would be markup or leave its line."""
    plain = " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("`", "'")
    return plain.replace("<", "&lt;").replace("[", "\\[")
