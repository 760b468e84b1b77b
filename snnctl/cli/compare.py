"""`snnctl compare`: trained runs side by side, over paired seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import folder
from snnctl.cli.session import Session


def compare(
    ctx: typer.Context,
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run directories, or folders that hold some."),
    ],
    metric: Annotated[
        list[str],
        typer.Option(
            metavar="SPLIT/NAME",
            help="What is compared: test/accuracy, or energy/TABLE after `snnctl energy`. Repeatable; else the "
            "task's first on test.",
        ),
    ] = [],  # noqa: B006
    against: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="The reference: its name, one of its key=value, or a glob; else the first RUN's group.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, folder("Where files go.")] = Path("compare"),
) -> int:
    """Compare trained runs: groups that differ in their seed alone, and paired differences between them.

    Nothing is run or measured again: what the runs have written is read. Groups are named by the keys in which their
    recipes differ.
    """
    session: Session = ctx.obj
    from snnctl.commands import compare as commands
    from snnctl.ui.compare import show_comparison

    return session.answer(commands.compare(runs, metric, against, out, listener=session), show_comparison)
