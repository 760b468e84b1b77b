"""Texts as tokens: how long they are, which tokens are frequent, which are unknown, classes, and some of each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnctl.inspect.data.collect import Sample, counts_of, sample
from snnctl.inspect.data.figures.common import class_bars, drawable, facts_of, lacking
from snnctl.report.drawing import gridlines, sheet
from snnctl.report.style import BLUE, GREY, RED, Drawn, picture

_TEXTS = 4000
_TOKENS = 18
_UNKNOWN = 1
_LINES = 10


@picture("data", "{title}")
def figure(data: Any, title: str) -> Drawn:
    """Lengths, tokens, classes, and texts as a network gets them."""
    taken, words, length = sample(data, _TEXTS), data.input_signal.words, data.input_signal.length
    made = sheet(11, 7.6, drawable(title, 90))
    panels = made.subplot_mosaic("abc;ddd", height_ratios=(3, 2.2))
    lengths = (taken.inputs != 0).sum(1)
    cut = float((lengths >= length).mean())
    axes = panels["a"]
    longest = int(lengths.max())
    axes.hist(lengths, bins=np.arange(0, longest + 2, max(1, longest // 40)) - 0.5, color=BLUE)
    if 2 * longest > length:
        axes.axvline(length, color=RED, ls="--", lw=1.2)
    axes.set(title="length", xlabel=f"tokens ({cut:.1%} have the {length} that are kept)", ylabel="texts")
    gridlines(axes)
    unknown = _frequent(panels["b"], taken, words)
    class_bars(panels["c"], counts_of(data, facts_of(data)))
    _some(panels["d"], taken, words, tuple(map(str, getattr(data, "class_names", ()))))
    said = f"{taken.words}; {unknown:.1%} of their tokens are unknown; {data.input_signal.features:,} tokens are known"
    said += "; ▯ stands for letters that the font of this picture lacks" * (lacking(words[:2000]) > 0)
    made.supxlabel(said, fontsize=8.5, color=GREY, x=0.01, ha="left")
    return made, said


def _frequent(axes: Any, taken: Sample, words: tuple[str, ...]) -> float:
    """The most frequent tokens; the share of unknown ones is returned."""
    held = taken.inputs[taken.inputs != 0]
    counts = np.bincount(held) if len(held) else np.zeros(2, np.int64)
    most = [int(i) for i in np.argsort(-counts, kind="stable")[:_TOKENS] if counts[i]]
    share = 100 * counts / max(1, len(held))
    axes.barh(range(len(most)), share[most], color=[RED if i == _UNKNOWN else BLUE for i in most])
    axes.set_yticks(range(len(most)), [drawable(_word(i, words), 14) for i in most], fontsize=8)
    axes.invert_yaxis()
    axes.set(title="most frequent tokens", xlabel="% of tokens (red: unknown)")
    gridlines(axes, "x")
    return float(share[_UNKNOWN] / 100) if len(share) > _UNKNOWN else 0.0


def _word(token: int, words: tuple[str, ...]) -> str:
    return (words[token] if words[token].strip() else repr(words[token])) if token < len(words) else str(token)


def _some(axes: Any, taken: Sample, words: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Texts of each class, in tokens."""
    axes.set_axis_off()
    axes.set_title("texts as a network gets them: tokens between dots, the unknown as [unk]")
    classes = np.unique(taken.targets)
    each = max(1, _LINES // max(1, len(classes)))
    chosen = [(int(c), int(i)) for c in classes[:_LINES] for i in taken.of_class(int(c), each)]
    for line, (number, item) in enumerate(chosen[:_LINES]):
        y = 1 - (line + 0.7) / _LINES
        name = names[number] if number < len(names) else str(number)
        text = "·".join(_word(int(t), words) for t in taken.inputs[item] if t)
        axes.text(0, y, drawable(name, 12) or '""', transform=axes.transAxes, fontsize=8.5, weight="bold")
        axes.text(0.1, y, drawable(text, 125), transform=axes.transAxes, fontsize=8.5)
