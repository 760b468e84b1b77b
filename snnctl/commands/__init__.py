"""What each command does, as functions: typed arguments in, the document of `--json` out; nothing is drawn here.

What means the same in all of them:

Args:
    recipe, run: a recipe's file; a run directory.
    sets, unsets: changes of a recipe, as `--set` and `--unset` take them.
    checkpoint: which weights; the last stand in where none were the best.
    device: cpu keeps off accelerators.
    out: where files go.
    allow_plugins: whether a recipe may name plug-in files.
    listener: told what goes on.

Raises:
    DiagnosticError: of a run as `snnctl.finished.open_run`, `build` and `load_weights`; of a recipe whatever is wrong
        with it or its data; U453, `out` cannot be written.
"""
