"""`snnctl analyze-neuron`: how far back the gradients of untrained neurons reach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnctl.cli.options import PluginFiles, load_plugins, registered, seed_list
from snnctl.cli.session import Session


def analyze_neuron(
    ctx: typer.Context,
    neuron: Annotated[
        list[str],
        typer.Option(
            "--neuron",
            metavar="SPEC",
            help="A neuron: stc_lif, or 'stc_lif: {circuit: temporal}'. Repeatable; else LIF, IF and STC.",
            autocompletion=registered("neuron"),
        ),
    ] = [],  # noqa: B006
    steps: Annotated[int, typer.Option(metavar="T", min=2, help="Time steps.")] = 30,
    channels: Annotated[int, typer.Option(metavar="C", min=1, help="Channels.")] = 32,
    size: Annotated[int, typer.Option(metavar="N", min=1, help="Rows and columns of the map.")] = 16,
    batch: Annotated[int, typer.Option(metavar="B", min=1, help="Samples.")] = 4,
    held: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=1.0, help="Share of the noise that is held over all steps.")
    ] = 0.0,
    seeds: Annotated[str, typer.Option(metavar="0,1,2", help="Each draws parameters and noise anew.")] = "0,1,2",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where files go.")] = Path("lags"),
    plugin: PluginFiles = [],  # noqa: B006
) -> int:
    """Follow the gradient of untrained neurons back in time, under noise: products of dU[t+1]/dU[t] against the lag.

    Neurons whose step acts on each membrane by itself; of undetached circuits the diagonal alone is followed.
    """
    session: Session = ctx.obj
    drawn = tuple(seed_list(seeds or "0"))
    load_plugins(plugin)
    from snnctl.commands import analyze_neuron as commands
    from snnctl.inspect.gradients.collect import Setting
    from snnctl.ui.analyze_neuron import show_lags

    setting = Setting(steps, channels, size, batch, held, drawn)
    document = commands.analyze_neuron(neuron, setting, out=out, listener=session)
    return session.answer(document, lambda console: show_lags(console, document))
