"""Every metric that ships says which way it is better."""

from typing import get_args

from snnctl.core.better import better_when
from snnctl.measure.classes import CLASS_METRIC_NAMES
from snnctl.measure.metrics import MetricName
from snnctl.measure.video import VIDEO_METRIC_NAMES


def test_every_metric_has_a_direction() -> None:
    higher = {"r2", "r2_cell", "r2_column", "ssim", "ssim2", "psnr", *CLASS_METRIC_NAMES}
    for name in (*get_args(MetricName), *CLASS_METRIC_NAMES, *VIDEO_METRIC_NAMES):
        assert better_when(name) == ("max" if name in higher else "min")
    assert better_when("loss") == "min"


def test_others_have_none() -> None:
    assert better_when("of a plug-in") is None
