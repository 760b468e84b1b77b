"""What is drawn is what was found: bars, thresholds, titles; and the page needs nothing but itself."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from snnctl.inspect.positions.collect import analyse
from snnctl.inspect.positions.encoding import Encoding, encoding_of
from snnctl.inspect.positions.figures import code, comparison
from snnctl.inspect.positions.page import page
from snnctl.inspect.positions.theory import compare
from snnctl.positions import CPG
from snnctl.report.page import Section, html
from snnctl.report.saving import provenance
from snnctl.report.style import render


@pytest.fixture
def cpg() -> Encoding:
    config = {"type": "cpg", "neurons": 10, "base": 1000.0, "threshold": 0.8}
    module = CPG(neurons=10, base=1000.0)
    return encoding_of(module, name="cpg", config=config, origin="test", steps=4, tokens=12)


def marked(axes: Any, gid: str) -> Any:
    return next(artist for artist in axes.get_children() if artist.get_gid() == gid)


def test_raster_has_a_bar_exactly_where_the_code_is_one(cpg: Encoding) -> None:
    picture = code.raster(cpg)
    panels = [axes for axes in picture.figure.axes if axes.axison]
    assert len(panels) == 8
    for neuron, axes in enumerate(panels):
        bars = [segment[0][0] for segment in marked(axes, "spikes").get_segments()]
        assert bars == np.flatnonzero(cpg.code[:, neuron]).tolist()
        assert set(marked(axes, "threshold").get_ydata()) == {0.8}
        phase = np.arange(48) * 1000.0 ** (-2 * (neuron // 2) / 10)
        curve = next(line for line in axes.lines if line.get_marker() == ".").get_ydata()
        assert curve == pytest.approx((np.sin, np.cos)[neuron % 2](phase))


def test_theory_says_what_it_is() -> None:
    picture = comparison.theory(compare(8, 1000.0, 20), 8)
    title = picture.figure.get_suptitle()
    assert "working model, not the paper's proof" in title


def test_figures_are_png_and_svg_and_the_same_each_time(cpg: Encoding) -> None:
    first, second = render(code.code_matrix(cpg)), render(code.code_matrix(cpg))
    assert first == second
    assert first[0].startswith(b"\x89PNG")
    assert b"<svg" in first[1]


def test_page_needs_nothing_beside_itself(cpg: Encoding) -> None:
    picture = code.code_matrix(cpg)
    images = {picture.name: render(picture)[0]}
    facts = provenance("snnctl analyze-pe --position 'a<b'", {cpg.name: cpg.config})
    shown = page(analyse("<name> & more", [cpg]), [Section("cpg", [picture], ["<said>"])])
    text = html(replace(shown, provenance=facts), images, ["index.html"])
    assert re.findall(r'src="(?!data:)', text) == []
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    assert "&lt;name&gt; &amp; more" in text
    assert "&lt;said&gt;" in text
    assert "a&lt;b" in text
    assert "&quot;base&quot;: 1000.0" in text
