"""Which simulators read a graph as it is, which refuse it, and which change it in silence; none of them is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.export.nir.features import features
from snnctl.export.nir.graph import Graph

Verdict = Literal["reads", "refuses", "changes"]
_TABLE = Path(__file__).with_name("readers.yaml")


@dataclass(frozen=True)
class Finding:
    """One thing in a graph that a reader does not take as it is."""

    verdict: Verdict
    feature: str
    reason: str
    nodes: tuple[str, ...]

    def text(self) -> str:
        """The reason, with the first nodes that it is of."""
        shown = ", ".join(self.nodes[:3]) + (f" and {len(self.nodes) - 3} more" if len(self.nodes) > 3 else "")
        return f"{self.reason} ({shown})" if shown else self.reason


@dataclass(frozen=True)
class Reading:
    """What one reader makes of a graph.

    Args:
        reader: its name.
        version: that was tried.
        findings: none where it takes the graph as it is.
    """

    reader: str
    version: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """A graph that is refused is changed by nobody."""
        found = {finding.verdict for finding in self.findings}
        return "refuses" if "refuses" in found else "changes" if found else "reads"

    def document(self) -> dict[str, Any]:
        rows = [
            {"verdict": f.verdict, "feature": f.feature, "reason": f.reason, "nodes": list(f.nodes)}
            for f in self.findings
        ]
        return {"reader": self.reader, "version": self.version, "verdict": self.verdict, "findings": rows}


@cache
def table() -> dict[str, Any]:
    """The rules, by reader; see the head of `readers.yaml`."""
    with _TABLE.open() as file:
        found: dict[str, Any] = yaml.safe_load(file)
    return found


def readers() -> list[str]:
    """Names of the readers there are rules for."""
    return list(table())


def known(names: list[str]) -> list[str]:
    """Names of readers, as a user gives them.

    Raises:
        DiagnosticError: U499, there is none of that name.
    """
    for name in names:
        if name not in table():
            raise DiagnosticError(Diagnostic("U499", facts={"name": name, "names": ", ".join(readers())}))
    return names


def how(reader: str) -> str:
    """How a user reads a file with it."""
    return str(table()[reader]["call"])


def readings(graph: Graph, names: list[str] | None = None) -> list[Reading]:
    """What each reader makes of a graph.

    Raises:
        DiagnosticError: U498, as `features`; U499, a reader is unknown.
    """
    found = features(graph)
    return [_reading(name, found) for name in (readers() if names is None else known(names))]


def _reading(name: str, found: dict[str, list[str]]) -> Reading:
    rules = table()[name]
    return Reading(name, str(rules["versions"][name]), tuple(_findings(rules, found)))


def _findings(rules: dict[str, Any], found: dict[str, list[str]]) -> Iterator[Finding]:
    for feature, nodes in found.items():
        kind = feature.removeprefix("kind:")
        if feature in rules["features"]:
            verdict, reason = rules["features"][feature]
            yield Finding(verdict, feature, reason, tuple(nodes))
        elif kind != feature and kind not in rules["reads"]:
            verdict, reason = rules["otherwise"]
            yield Finding(verdict, feature, f"{kind}: {reason}", tuple(nodes))
