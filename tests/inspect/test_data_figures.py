"""What `data info --plot` draws: one figure per kind of signal, for data of snnctl and of plug-ins alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import AxesImage
from matplotlib.patches import StepPatch

from snnctl.core.diagnostic import DiagnosticError
from snnctl.core.shapes import SignalSpec
from snnctl.data.base import Batch
from snnctl.data.made.order import Order
from snnctl.data.series.component import TimeSeries
from snnctl.data.series.timeline import Timeline
from snnctl.inspect.data import draw
from snnctl.inspect.data.collect import counts_of, form_of, sample
from snnctl.inspect.data.figures.common import drawable, lacking
from snnctl.inspect.data.figures.pictures import shown
from snnctl.inspect.data.figures.series import timeline_of_windows
from snnctl.inspect.data.figures.spikes import on_sensor


@dataclass
class Part:
    """A split of a plug-in: a length and batches, nothing else."""

    inputs: torch.Tensor
    targets: torch.Tensor
    observed: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: torch.Tensor) -> Batch:
        observed = None if self.observed is None else self.observed[indices]
        return Batch(self.inputs[indices], self.targets[indices], observed)


@dataclass
class Plugin:
    """Data without facts, names or a base class."""

    input_signal: SignalSpec
    part: Part

    def split(self, name: str) -> Part:
        return self.part


def plugin(signal: SignalSpec, *inner: int, classes: int = 3, whole: bool = True, n: int = 12) -> Plugin:
    made = torch.Generator().manual_seed(0)
    inputs = torch.rand(n, *inner, generator=made) * 3
    return Plugin(signal, Part(inputs.round() if whole else inputs, torch.arange(n) % classes))


def axes_titles(figure: Any) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


SIGNALS = {
    "pictures": plugin(SignalSpec(0, 30, 3, grid=(5, 6)), 30, 3, whole=False),
    "frames": plugin(SignalSpec(0, 30, 2, grid=(5, 6), frames=4), 4, 30, 2),
    "spikes": plugin(SignalSpec(0, 1, 7, frames=9, dt_ms=2.0), 9, 1, 7),
    "sequences": plugin(SignalSpec(0, 11, 2), 11, 2, whole=False),
    "maps": plugin(SignalSpec(0, 11, 9), 11, 9, whole=False),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_plug_in_without_facts_is_drawn(name: str) -> None:
    data = SIGNALS[name]
    form = form_of(data.input_signal, data.part.batch(torch.zeros(1, dtype=torch.int64)))
    assert form == {"maps": "sequences"}.get(name, name)
    picture = draw(data, "mine, read as something")
    assert picture.title == "mine, read as something"
    assert "12 items of train" in picture.caption
    assert "classes" in axes_titles(picture.figure)


def test_a_plug_in_with_a_class_at_every_step() -> None:
    data = plugin(SignalSpec(0, 1, 7, frames=9), 9, 1, 7)
    data.part.targets = torch.ones(12, 9, dtype=torch.int64)
    assert "item 5" in axes_titles(draw(data, "steps").figure)


def test_texts_of_a_plug_in() -> None:
    tokens = torch.tensor([[2, 1, 0], [3, 2, 2], [2, 0, 0], [1, 1, 1]])
    signal = SignalSpec(0, 3, 4, kind="tokens", ragged=True, words=("[pad]", "[unk]", "good$", "映画"))
    picture = draw(Plugin(signal, Part(tokens, torch.tensor([0, 1, 0, 1]))), "texts")
    assert "44.4% of their tokens are unknown" in picture.caption  # 4 of 9
    assert "▯ stands for" in picture.caption
    bars = picture.figure.axes[1].patches
    assert [round(bar.get_width(), 1) for bar in bars] == [44.4, 44.4, 11.1]


def test_videos_of_a_plug_in() -> None:
    @dataclass
    class Video(Plugin):
        def facts(self) -> dict[str, Any]:
            return {"splits": {"train": {"sequences": 5}, "odd": 3}}

    frames = torch.rand(5, 6, 12, 1, generator=torch.Generator().manual_seed(0))
    data = Video(SignalSpec(0, 12, 1, grid=(3, 4), frames=4, ahead=2), Part(frames[:, :4], frames[:, 4:]))
    picture = draw(data, "clips")
    strips = [axes for axes in picture.figure.axes if axes.images]
    assert len(strips) == 4 * 6
    assert np.allclose(strips[0].images[0].get_array(), frames[0, 0].reshape(3, 4))
    assert np.allclose(strips[5].images[0].get_array(), frames[0, 5].reshape(3, 4))
    assert "4 frames are seen (blue), 2 follow (orange)" in picture.caption


def test_a_series_over_time() -> None:
    data = TimeSeries(source="co2", window=1, horizon=1).load()
    picture = draw(data, "co2")
    assert picture.caption.startswith("2,284 rows; values in their own units; red: 59 missing; hatched: 0 times")
    over_time, spread = picture.figure.axes
    assert over_time.get_title(loc="left") == "co2   target, 2.6% missing"
    drawn = over_time.lines[0].get_ydata()
    assert np.array_equal(drawn, data.series.values[:, 0], equal_nan=True)
    assert [text.get_text() for text in over_time.texts] == ["train", "val", "test"]
    train = next(patch for patch in spread.patches if isinstance(patch, StepPatch))
    assert train.get_data().values.sum() == pytest.approx(1.0)


def test_windows_give_the_series_that_a_plug_in_does_not() -> None:
    data = TimeSeries(source="co2", window=4, horizon=3).load()
    found = timeline_of_windows(data)
    first = data.plan.cuts[0].train
    rows = slice(first.first_row + 4, first.first_row + 4 + first.windows)
    expected = data.tensors.values[rows].numpy().astype(float)
    seen = data.marked[rows]
    assert found.columns == ("co2",)
    assert found.scaled
    assert np.array_equal(np.isnan(found.values[: first.windows]), np.isnan(seen))
    assert np.allclose(found.values[: first.windows][~np.isnan(seen)], expected[~np.isnan(seen)])
    assert [last - begun for begun, last in found.splits.values()] == [len(data.split(s)) for s in found.splits]


@dataclass
class Told:
    """A series that says its columns over time."""

    found: Timeline
    input_signal: ClassVar = SignalSpec(0, 2, 1)

    def timeline(self) -> Timeline:
        return self.found

    def split(self, name: str) -> Part:
        return Part(torch.zeros(3, 2, 1), torch.zeros(3, 1, 1))


def test_roles_units_gaps_and_what_never_moves() -> None:
    times = np.datetime64("2020-01-01", "ms") + np.arange(40) * np.timedelta64(1, "h")
    times[20:] += np.timedelta64(9, "h")
    values = np.stack([np.arange(40.0), np.ones(40), np.arange(40.0) % 5], axis=1)
    values[3:6, 2] = np.nan
    roles, units = {"load": "target", "flat": "past", "wind": "known"}, {"load": "MW"}
    told = Timeline(values, ("flat", "load", "wind"), {"train": (0, 30), "test": (30, 40)}, times, roles, units)
    assert told.gaps == [20]
    picture = draw(Told(told), "mine")
    titles = [title for title in axes_titles(picture.figure) if title]
    assert titles == ["load   target, never moves", "train, test (line)", "flat   past", "wind   known, 7.5% missing"]
    assert picture.figure.axes[0].get_ylabel() == "MW"
    assert "red: 3 missing; hatched: 1 times no row" in picture.caption
    line = picture.figure.axes[2].lines[0]
    assert np.isnan(line.get_ydata()).sum() == 1  # broken where rows are missing


def test_many_rows_keep_their_extremes() -> None:
    values = np.zeros((50_000, 1))
    values[12_345] = 7.0
    values[40_000:40_100] = np.nan
    picture = draw(Told(Timeline(values, ("v",), {"train": (0, 50_000)})), "long")
    low, high = picture.figure.axes[0].get_ylim()
    assert low < 0 < 7 < high


def test_of_many_columns_six_are_drawn() -> None:
    values = np.random.default_rng(0).normal(size=(30, 9))
    columns = tuple(f"c{i}" for i in range(9))
    picture = draw(Told(Timeline(values, columns, {"train": (0, 30)}, roles={"c0": "known"})), "wide")
    assert "3 more columns are not drawn" in picture.caption
    assert axes_titles(picture.figure)[0] == "c1   target"  # targets stand first


def test_classes_are_counted_as_the_data_says() -> None:
    data = Order(train=40, val=10, test=12, classes=3).load()
    found = counts_of(data, data.facts())
    assert found.names == ("0", "1", "2")
    assert {name: int(each.sum()) for name, each in found.splits.items()} == {"train": 40, "val": 10, "test": 12}
    mapped = counts_of(object(), {"splits": {"train": {"per_class": {"cat": 3, "dog": 4}}, "test": "none"}})
    assert (mapped.names, mapped.splits["train"].tolist()) == (("cat", "dog"), [3, 4])
    assert counts_of(object(), {}).splits == {}


def test_a_sample_is_drawn_in_order_and_within_bounds() -> None:
    data = Order(train=40, val=10, test=12).load()
    taken = sample(data, 7)
    assert (len(taken), taken.of, taken.words) == (7, 40, "7 of 40 items of train")
    every = sample(data, 100, "val")
    assert np.array_equal(every.inputs, data.split("val").batch(torch.arange(10)).inputs.numpy())
    assert np.array_equal(every.of_class(1, 3), np.flatnonzero(every.targets == 1)[:3])


@given(st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_pictures_are_drawn_from_black_to_white(count: int, channels: int) -> None:
    values = np.random.default_rng(count).normal(3, 9, (count, 4, 5, channels))
    found = shown(values)
    assert found.shape == (count, 4, 5, channels if channels in (1, 3) else 1)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-12
    if channels in (1, 3):
        assert np.allclose(found.max(axis=(0, 1, 2)), 1)
    assert not shown(np.full((2, 3, 3, 1), 9.0)).any()


def test_a_grid_shows_each_class_its_own_pictures() -> None:
    inputs = torch.zeros(6, 4, 1)
    inputs[1::2] = 1.0
    data = Plugin(SignalSpec(0, 4, 1, grid=(2, 2)), Part(inputs, torch.arange(6) % 2))
    (image,) = [
        one for axes in draw(data, "two").figure.axes for one in axes.get_children() if isinstance(one, AxesImage)
    ]
    canvas = np.asarray(image.get_array())
    assert not canvas[:2, :2].any()
    assert canvas[3:5, :2].all()


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_drawn(text: str) -> None:
    found = drawable(text, 20)
    assert "\n" not in found
    assert len(found.replace(r"\$", "$")) <= 20
    assert lacking([found.replace(r"\$", "$")]) == 0


def test_events_lie_where_they_were_on_the_sensor() -> None:
    rows, columns, (y, x, p) = 3, 4, (2, 1, 1)
    each = np.zeros((y * columns + x) * 2 + p + 1)  # channels end with the last one that fires
    each[-1], each[1] = 5.0, 2.0
    facts = {"sensor": [rows, columns], "units": len(each), "channels": len(each)}
    expected = np.zeros((rows, columns))
    expected[y, x], expected[0, 0] = 5.0, 2.0
    assert np.array_equal(on_sensor(each, facts), expected)
    assert on_sensor(each, {**facts, "channels": 5}) is None
    assert on_sensor(each, {**facts, "sensor": None}) is None
    assert on_sensor(each, {**facts, "sensor": [2, 2]}) is None


def test_what_gives_no_batches_is_refused() -> None:
    with pytest.raises(DiagnosticError, match="U437"):
        draw(object(), "nothing")
