"""`python -m tests.faults --minutes N --seed S`: faults of all kinds to all commands, and what must hold after each."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from actor import Actor, import_everything
from play import HARMLESS, PATIENCE, SIGNALS, Play, Tally
from stage import commands, write_inputs

_PUBLISHED = Path(__file__).parents[2] / "../shared/data/ETTh1/ETTh1.csv"


def play(minutes: float, seed: int, published: Path | None, only: str = "", kind: str = "") -> Tally:
    """Faults until the time is over, every command and kind about as often as any other."""
    import_everything()
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        inputs = folder / "inputs"
        for each in ("inputs", "inputs/home", "inputs/temporary"):
            (folder / each).mkdir()
        write_inputs(inputs)
        for out, spiking in (("base", "false"), ("spiking", "true")):
            changes = ("--set", f"model.spiking={spiking}", "--set", "train.epochs=2")
            actor = Actor(inputs, ["train", "recipe.yaml", *changes, "--out", out, "--json"], "inputs")
            if actor.wait(PATIENCE) != 0:
                raise SystemExit(f"{out} cannot be trained: {actor.answer()} {actor.errors()}")
        for each in ("home", "temporary"):
            shutil.rmtree(inputs / each)
        stage = Play(folder, inputs, seed)
        until = time.monotonic() + 60 * minutes
        chosen = [one for one in commands(published) if only in one.name]
        if published is None:
            stage.tally.skipped["data prep"] = "the published file is not here"
        played: Counter[str] = Counter()
        while time.monotonic() < until:
            fewest = min(played[one.name] for one in chosen)
            command = stage.draw.choice([one for one in chosen if played[one.name] == fewest])
            played[command.name] += 1
            kinds = [one for one in stage.kinds(command) if kind in one]
            if kinds:
                known = len(stage.tally.complaints)
                stage.fault(command, stage.draw.choice(kinds))
                for one in stage.tally.complaints[known:]:
                    print(f"WRONG: {one}", flush=True)
        return stage.tally


def main() -> int:
    """Play, and tell what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--published", type=Path, default=_PUBLISHED, help="ETTh1.csv, for `data prep`")
    parser.add_argument("--only", default="", help="commands whose name has this in it")
    parser.add_argument("--kind", default="", help="faults whose name has this in it")
    given = parser.parse_args()
    published = given.published.resolve() if given.published.is_file() else None
    tally = play(given.minutes, given.seed, published, given.only, given.kind)
    for (command, kind), count in sorted(tally.counts.items()):
        print(f"{command:14} {kind:14} {count}")
    for what, reason in tally.skipped.items():
        print(f"skipped: {what}: {reason}")
    kills = sum(n for (_, kind), n in tally.counts.items() if kind in SIGNALS or kind == "child killed")
    quiet = sum(n for (_, kind), n in tally.counts.items() if kind in HARMLESS)
    every = sum(tally.counts.values())
    others = every - kills - quiet
    print(f"{every} faults ({kills} signals, {others} of resources and rivals), {len(tally.complaints)} wrong")
    return int(bool(tally.complaints))


if __name__ == "__main__":
    sys.exit(main())
