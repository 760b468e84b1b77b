"""Options that several subcommands share, and completion of names from the registries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from snnctl.core.catalog import REGISTRIES
from snnctl.core.choices import Checkpoint, Device, refuse_other
from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def complete_component(incomplete: str) -> Iterator[str]:
    """Names of components and recipe files that begin with `incomplete`."""
    names = {name for registry in REGISTRIES.values() for name in registry.names()}
    yield from sorted(n for n in {*names, *REGISTRIES} if n.startswith(incomplete))


def complete_name(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Names of the kind that stands before, or of any where none does."""
    kind = context.params.get("what")
    yield from registered(kind)(incomplete) if kind in REGISTRIES else complete_component(incomplete)


def complete_kind(incomplete: str) -> Iterator[str]:
    """Kinds of components that begin with `incomplete`."""
    yield from (kind for kind in REGISTRIES if kind.startswith(incomplete))


def complete_override(incomplete: str) -> Iterator[str]:
    """`model.neuron=` completes to `model.neuron=lif` and so on."""
    path, equals, value = incomplete.partition("=")
    kind = {"model": "backbone"}.get(path.split(".")[-1], path.split(".")[-1])
    if equals and kind in REGISTRIES:
        yield from (f"{path}={name}" for name in REGISTRIES[kind].names() if name.startswith(value))


def registered(kind: str) -> Callable[[str], Iterator[str]]:
    """Completes the names of one kind of component."""

    def complete(incomplete: str) -> Iterator[str]:
        yield from (name for name in REGISTRIES[kind].names() if name.startswith(incomplete))

    return complete


def one_of(
    option: str, choice: Any, help: str, *, order: Sequence[str] = (), code: str = "U408", between: str = " or "
) -> Any:
    """An option that takes one of a few words, which the shell completes.

    Args:
        option: its name, without dashes.
        choice: of `snnctl.core.choices`.
        order: the words as they are shown, some of the choice or all; none: all as they stand there.
        code, between: of the diagnostic that refuses another word.
    """
    words = order or get_args(choice)

    def parse(word: str) -> str:
        refuse_other(f"--{option}", word, words, code=code, between=between)
        return word

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return typer.Option(f"--{option}", metavar="|".join(words), help=help, parser=parse, autocompletion=complete)


def specs(kind: str, help: str) -> Any:
    """An option, to be repeated, that takes components of one kind with their knobs."""
    return typer.Option(f"--{kind}", metavar="SPEC", help=help, autocompletion=registered(kind))


def folder(help: str) -> Any:
    """An option that takes a folder."""
    return typer.Option(metavar="DIR", help=help)


OnDevice = Annotated[Device, one_of("device", Device, "Keep off accelerators with cpu.", code="U401")]
RunFolder = Annotated[Path, typer.Argument(help="Run directory.")]
OfRun = Annotated[Checkpoint, one_of("checkpoint", Checkpoint, "Which weights; best falls back on last.")]
Set = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a value of the recipe, e.g. model.neuron.tau=4. Repeatable, left to right.",
        autocompletion=complete_override,
    ),
]
Unset = Annotated[
    list[str], typer.Option("--unset", metavar="PATH", help="Remove a value, so that its default counts.")
]
RecipeFile = Annotated[Path, typer.Argument(help="Recipe file (.yaml).")]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="Refuse recipes that name plug-in files.")]
PluginFiles = Annotated[
    list[Path], typer.Option("--plugin", metavar="FILE", help="Also load this plug-in file. Repeatable.")
]


def words(text: str) -> list[str]:
    """Words that commas separate, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def seed_list(text: str) -> list[int]:
    """What `--seeds 1,2,3` or `--seeds 1-10` names; nothing for "".

    Raises:
        DiagnosticError: U404, they are not distinct whole numbers from 0.
    """
    if not text:
        return []
    try:
        found = [seed for part in text.split(",") for seed in _range(part)]
    except ValueError:
        found = []
    if not found or min(found) < 0 or len(set(found)) < len(found):
        message = f"--seeds must be distinct whole numbers from 0, got `{text}`"
        raise DiagnosticError(Diagnostic("U404", message, help="--seeds 1,2,3 or 1-10"))
    return found


def level_list(text: str) -> list[int]:
    """What `--intervals 80,95` names; nothing for "".

    Raises:
        DiagnosticError: U504, they are no whole numbers; that they are levels is for who makes bands of them.
    """
    if not text:
        return []
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        message = f"--intervals takes whole percentages from 1 to 99, got `{text}`"
        raise DiagnosticError(Diagnostic("U504", message, help="--intervals 80,95")) from None


def _range(text: str) -> range:
    """`4` or `4-9`, the last included."""
    first, dash, last = text.partition("-")
    found = range(int(first), int(last if dash else first) + 1)
    if not found:
        raise ValueError(text)
    return found


def load_plugins(files: list[Path]) -> None:
    """Load plug-in files named on the command line: whoever names one there means it to run.

    Raises:
        DiagnosticError: as `snnctl.recipe.plugins.load_plugin`.
    """
    from snnctl.recipe.plugins import load_plugin

    for file in files:
        load_plugin(file.resolve(), trusted=True)
