"""The smallest recipe that trains: one epoch on a short table of its own."""

from pathlib import Path

from snnctl.recipe import Recipe, read_recipe

TINY = """\
schema: 1
name: tiny
task: {type: forecasting, loss: mse, metrics: [mse, mae], baselines: [last_value]}
data:
  type: timeseries
  source: co2
  window: 12
  horizon: 3
encoder: {type: patch, length: 6, dim: 8, steps: 2}
model:
  type: spikformer
  dim: 8
  depth: 1
  heads: 2
  neuron: lif
train: {epochs: 1, batch_size: 64}
"""
TABLE = "step,value\n" + "".join(f"{i},{(i * 7) % 11 + i / 50:.2f}\n" for i in range(200))


def read(text: str = TINY, sets: list[str] | None = None, unsets: list[str] | None = None) -> Recipe:
    """The recipe `text`, found in the working directory as `tiny.yaml`."""
    return read_recipe(text, "tiny.yaml", sets or [], unsets or [])


def write(folder: Path, *edits: tuple[str, str]) -> Path:
    """`TINY` on a table of its own in `folder`, with every `(old, new)` of `edits` applied."""
    (folder / "table.csv").write_text(TABLE)
    text = TINY.replace("source: co2", "source: ./table.csv")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = folder / "tiny.yaml"
    path.write_text(text)
    return path
