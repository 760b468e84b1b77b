"""`snnctl analyze-pe` and `analyze-neuron`: what positional encodings tell apart, how far gradients reach back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from snnctl.cli.options import NoPlugins, PluginFiles, Set, Unset, folder, load_plugins, one_of, seed_list, specs
from snnctl.cli.session import Session
from snnctl.core.choices import SplitName
from snnctl.core.diagnostic import Diagnostic, DiagnosticError


def analyze_pe(
    ctx: typer.Context,
    subject: Annotated[
        Path | None, typer.Argument(metavar="RECIPE|RUN", help="Recipe file (.yaml) or run directory.")
    ] = None,
    position: Annotated[
        list[str],
        specs("position", "A position: cpg, or 'cpg: {neurons: 10}'. Repeatable; all are put side by side."),
    ] = [],  # noqa: B006
    length: Annotated[int | None, typer.Option(metavar="L", min=1, help="Tokens; else the recipe's, or 168.")] = None,
    steps: Annotated[int | None, typer.Option(metavar="T", min=1, help="Time steps; else the recipe's, or 4.")] = None,
    out: Annotated[Path | None, folder("Where files go; else RUN/pe or pe/<name>.")] = None,
    sweep: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV with base,neurons,<metric> to draw as well.")
    ] = None,
    network: Annotated[
        bool, typer.Option(help="For a run: also measure attention, probe and disturbed position.")
    ] = True,
    split: Annotated[
        SplitName, one_of("split", SplitName, "For a run: which part of the data.", order=("val", "test"))
    ] = "val",
    samples: Annotated[
        int, typer.Option(metavar="N", min=4, help="For a run: samples for the probe and the attention maps.")
    ] = 256,
    set_: Set = [],  # noqa: B006
    unset: Unset = [],  # noqa: B006
    plugin: PluginFiles = [],  # noqa: B006
    no_plugins: NoPlugins = False,
) -> int:
    """Analyse positional encodings: codes, collisions, similarity, spectrum; for a run also what the network uses.

    A recipe is not trained. Its position is compared with others: those named by --position, or a few usual ones.
    """
    session: Session = ctx.obj
    if subject is None and not position:
        help = "snnctl analyze-pe RECIPE, or snnctl analyze-pe --position cpg --position none"
        raise DiagnosticError(Diagnostic("U450", help=help))
    is_run = subject is not None and subject.suffix not in (".yaml", ".yml")
    if (set_ or unset) and (subject is None or is_run):
        what = "a run is as it was trained" if is_run else "there is no recipe to change"
        raise DiagnosticError(Diagnostic("U451", facts={"what": what}, help="use --position"))
    load_plugins(plugin)
    from snnctl.commands import analyze as commands
    from snnctl.ui.analyze import show_analysis

    more: dict[str, Any] = {"allow_plugins": not no_plugins, "listener": session}
    found = commands.analyze_pe(
        subject, position, set_, unset, length, steps, out, sweep, network, split, samples, **more
    )
    return session.answer(found.document, lambda console, document: show_analysis(console, document, found.first))


def analyze_neuron(
    ctx: typer.Context,
    neuron: Annotated[
        list[str],
        specs("neuron", "A neuron: stc_lif, or 'stc_lif: {circuit: temporal}'. Repeatable; else LIF, IF and STC."),
    ] = [],  # noqa: B006
    steps: Annotated[int, typer.Option(metavar="T", min=2, help="Time steps.")] = 30,
    channels: Annotated[int, typer.Option(metavar="C", min=1, help="Channels.")] = 32,
    size: Annotated[int, typer.Option(metavar="N", min=1, help="Rows and columns of the map.")] = 16,
    batch: Annotated[int, typer.Option(metavar="B", min=1, help="Samples.")] = 4,
    held: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=1.0, help="Share of the noise that is held over all steps.")
    ] = 0.0,
    seeds: Annotated[str, typer.Option(metavar="0,1,2", help="Each draws parameters and noise anew.")] = "0,1,2",
    out: Annotated[Path, folder("Where files go.")] = Path("lags"),
    plugin: PluginFiles = [],  # noqa: B006
) -> int:
    """Follow the gradient of untrained neurons back in time, under noise: products of dU[t+1]/dU[t] against the lag.

    Neurons whose step acts on each membrane by itself; of undetached circuits the diagonal alone is followed.
    """
    session: Session = ctx.obj
    drawn = tuple(seed_list(seeds or "0"))
    load_plugins(plugin)
    from snnctl.commands import analyze as commands
    from snnctl.inspect.gradients.collect import Setting
    from snnctl.ui.analyze import show_lags

    setting = Setting(steps, channels, size, batch, held, drawn)
    return session.answer(commands.analyze_neuron(neuron, setting, out=out, listener=session), show_lags)
