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
        "metrics": {name: summarise([r["metrics"][name] for r in results]) for name in first["metrics"]},
        "baselines": {
            name: {
                metric: summarise([r["baselines"][name][metric] for r in results])
                for metric in first["baselines"][name]
            }
            for name in first["baselines"]
        },
        "baselines_omitted": first["baselines_omitted"],
        "spikes": {
            name: summarise([r["spikes"][name] for r in results])
            for name in ("mean_rate", "silent_share", "saturated_share")
        },
        "health": [verdict for r in results for verdict in r["health"]],
        "seconds": sum(r["seconds"] for r in results),
        "samples_per_second": summarise([r["samples_per_second"] for r in results]),
    }
