"""Results of one recipe over several seeds: mean, standard deviation, single values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from snnctl.core.diagnostic import said_of_data


def summarise(values: Sequence[float | None]) -> dict[str, Any]:
    """`{"mean", "sd", "values"}`; sd with n - 1, null for a single value or where one is undefined."""
    if any(v is None or v != v for v in values):
        return {"mean": None, "sd": None, "values": list(values)}
    known = [float(v) for v in values if v is not None]
    return {"mean": fmean(known), "sd": stdev(known) if len(known) > 1 else None, "values": known}


def _alike(documents: Sequence[Any]) -> Any:
    """Figures of documents of one form, each summarised; texts as the first has them."""
    first = documents[0]
    if isinstance(first, str):
        return first
    if isinstance(first, Mapping):
        shared = (key for key in first if all(key in one for one in documents))
        return {key: _alike([one[key] for one in documents]) for key in shared}
    return summarise(documents)


def over_seeds(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One document for all seeds: every metric summarised, `run` a list, the rest per seed or from the first.

    Baselines that do not depend on the seed come out with sd 0.
    """
    first = results[0]
    return {
        "run": [r["run"] for r in results],
        "name": first["name"],
        "status": "done",
        "split": first["split"],
        "seeds": [r["seed"] for r in results],
        "parameters": first["parameters"],
        "spiking": first.get("spiking", True),
        "skip": first["skip"],
        "leaky": first["leaky"],
        "leaks": first["leaks"],
        "data_warnings": said_of_data(results),
        "metrics": _alike([r["metrics"] for r in results]),
        **{
            name: _alike([r[name] for r in results]) if all(r.get(name) for r in results) else first.get(name)
            for name in ("units", "columns")
        },
        "baselines": _alike([r["baselines"] for r in results]),
        "baselines_omitted": first["baselines_omitted"],
        "spikes": {
            name: summarise([r["spikes"][name] for r in results])
            for name in ("mean_rate", "silent_share", "saturated_share")
        },
        "health": [verdict for r in results for verdict in r["health"]],
        "seconds": sum(r["seconds"] for r in results),
        "samples_per_second": summarise([r["samples_per_second"] for r in results]),
    }
