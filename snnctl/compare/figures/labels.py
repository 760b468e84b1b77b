"""Words on the figures of a comparison: titles, units, labels of axes and groups; and which groups stand together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from snnctl.compare.comparison import Comparison
from snnctl.compare.groups import Group
from snnctl.compare.recipes import in_short, shown, title_of
from snnctl.core.better import ENERGY, better_direction

_COLUMN = 16  # letters
_UNITS = {
    "accuracy": "share of what is scored",
    "balanced_accuracy": "mean share over classes",
    "macro_f1": "F1, 0 to 1",
    "mse": "squared units of the scaled data",
    "rmse": "units of the scaled data",
    "mae": "units of the scaled data",
    "rse": "relative to the spread of the targets",
    "r2": "1 is perfect, 0 the mean",
    "loss": "as trained",
}
_FRAME_UNITS = {"mse": "squared differences summed over a frame", "mae": "differences summed over a frame"}
_CLOCKS = ("data.dt_ms", "data.max_time")  # of data that say what a step lasts


def axis_label(found: Comparison, metric: str) -> str:
    """`accuracy, test split (share of what is scored; higher is better)`."""
    split, _, name = metric.partition("/")
    direction = {"max": "higher is better", "min": "lower is better", None: ""}[better_direction(metric)]
    if is_energy(metric):
        return f"energy per sample, {name}\n({direction})"
    units = _UNITS | (_FRAME_UNITS if found.runs[0].flat.get("task.type") == "video_prediction" else {})
    said = "; ".join(part for part in (units.get(name, ""), direction) if part)
    return f"{name.replace('_', ' ')}, {split} split" + (f"\n({said})" if said else "")


def blocks(found: Comparison) -> list[list[Group]]:
    """Groups that stand together: of a grid those that differ in its last key only, else all of them."""
    together: dict[str, list[Group]] = {}
    for group in found.groups:
        others = {key: shown(value) for key, value in group.keys.items() if key != found.varied}
        together.setdefault(str(others), []).append(group)
    grid = len({len(part) for part in together.values()}) == 1 and len(together) < len(found.groups)
    return list(together.values()) if grid and not found.usual else [found.groups]


def block_title(found: Comparison, block: Sequence[Group]) -> str:
    """What the groups of a block have in common: `layers=2`."""
    others = {key: value for key, value in block[0].keys.items() if key != found.varied}
    return in_short(others, found.grouping.keys)


def tick_labels(found: Comparison, *, by_value: bool) -> list[str]:
    """Of each group the value of the one key that counts, or all that tells it apart."""
    short = by_value or len(found.grouping.keys) == 1
    return [_tick(shown(group.keys[found.varied]) if short else found.label(group)) for group in found.groups]


def _tick(label: str) -> str:
    """Keys below each other; what is longer than a column is cut behind its `=` first."""
    lines: list[str] = []
    for text in re.split(r", (?=[^,=\[\]{}]+=)", label):  # not within lists
        name, sign, value = text.partition("=")
        lines += [text] if len(text) <= _COLUMN else [name + sign, *wrap(value, _COLUMN)]
    return "\n".join(lines)


def with_unit(key: str, flat: Mapping[str, Any]) -> str:
    """The key, with what its values count where that is known: `model.hierarchy.delta (ms)`."""
    title = title_of(key)
    in_ms = title.startswith("model.hierarchy.") and any(clock in flat for clock in _CLOCKS)
    last = title.rsplit(".", 1)[-1]
    unit = "ms" if in_ms and last in ("delta", "tau_mean") else "steps" if last == "tau" and ".neuron" in title else ""
    return f"{title} ({unit})" if unit else title


def is_energy(metric: str) -> bool:
    """Whether it is joules per sample under a table of costs."""
    return metric.startswith(f"{ENERGY}/")


def in_joules(axis: Any, metric: str) -> None:
    """Write the numbers along `axis` as energies if the metric is one."""
    if is_energy(metric):
        from matplotlib.ticker import EngFormatter

        axis.set_major_formatter(EngFormatter(unit="J"))


def title_line(found: Comparison) -> str:
    """The name of the recipe, or how many there are."""
    titles = dict.fromkeys(str(run.results["name"]) for run in found.runs)
    return next(iter(titles)) if len(titles) == 1 else f"{len(titles)} recipes"
