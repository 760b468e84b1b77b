"""`snnctl doctor`: what this machine has, and what snnctl will use of it."""

from __future__ import annotations

import typer

from snnctl.cli.session import Session


def doctor(ctx: typer.Context) -> int:
    """Show python, torch, devices, threads, kernels, extras and data, with what to mend."""
    session: Session = ctx.obj
    from snnctl.commands import doctor as commands
    from snnctl.ui.tables import show_doctor

    document = commands.doctor(session)
    return session.answer(document, lambda console: show_doctor(console, document))
