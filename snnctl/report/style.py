"""One look for all figures, safe for the colour-blind, and how a figure becomes bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from io import BytesIO
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any common colour vision tell apart; black and yellow left out.
BLUE, ORANGE, GREEN, RED, SKY, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, RED, PINK, SKY)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)))
INK, GREY, PALE = "#1d2327", "#6b7680", "#eef1f4"
DARK = "#123a5e"  # a spike
MAP = "viridis"  # for quantities
CODE_MAP = "cividis"  # for real codes of either sign
DPI = 130

STYLE: Any = {  # matplotlib annotates its parameters as a list of names, which differs between versions
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "svg.hashsalt": "snnctl",  # the same figure is the same file
    "image.interpolation": "nearest",
}

P = ParamSpec("P")
Drawn = tuple["Figure", str]  # with its caption


@dataclass(frozen=True)
class Picture:
    """A figure with its words."""

    name: str  # of its files, without ending
    title: str  # heading on the page
    caption: str  # what is drawn and what it shows, for the page and for people who cannot see it
    figure: Figure  # drawn and laid out, not yet rendered

    @property
    def width(self) -> int:
        """In pixels of the page: text is of the same size in all figures."""
        return round(96 * self.figure.get_figwidth())


def picture(name: str, title: str) -> Callable[[Callable[P, Drawn]], Callable[P, Picture]]:
    """A function that draws a figure and returns it with its caption becomes one that makes a `Picture` in this style.

    In `name` and `title` stands `{argument.attribute}` for what the function is given; slashes in names become dashes.
    """

    def decorate(function: Callable[P, Drawn]) -> Callable[P, Picture]:
        given = signature(function)

        @wraps(function)
        def draw(*args: P.args, **kwargs: P.kwargs) -> Picture:
            import matplotlib

            with matplotlib.rc_context(STYLE):
                figure, caption = function(*args, **kwargs)
            words = given.bind(*args, **kwargs).arguments
            return Picture(name.format(**words).replace("/", "-"), title.format(**words), caption, figure)

        return draw

    return decorate


def render(picture: Picture) -> tuple[bytes, bytes]:
    """The figure as PNG, and as SVG with text as outlines so that it looks the same everywhere.

    It is laid out once for both, and each canvas is asked itself: `savefig` would lay out and draw anew each time.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure = picture.figure
    with matplotlib.rc_context(STYLE):
        figure.set_dpi(DPI)
        raster = FigureCanvasAgg(figure)
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        image, drawing = BytesIO(), BytesIO()
        raster.print_png(image, metadata={"Software": None})
        FigureCanvasSVG(figure).print_svg(drawing, metadata={"Date": None, "Creator": None})
    return image.getvalue(), drawing.getvalue()


def annotated(axes: Axes, values: Sequence[Sequence[float]], texts: Sequence[Sequence[str]], **options: Any) -> Any:
    """A heat map whose cells carry their value in black or white, whichever can be read on the colour."""
    image: Any = axes.imshow(values, cmap=MAP, aspect="auto", **options)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            red, green, blue, _ = image.cmap(image.norm(values[row][column]))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black", fontsize=9)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return image


def whole_ticks(axes: Axes, *, x: bool = True, y: bool = True, most: int = 9) -> None:
    """Ticks at whole numbers only: there is no position between two positions."""
    from matplotlib.ticker import MaxNLocator

    if x:
        axes.xaxis.set_major_locator(MaxNLocator(most, integer=True))
    if y:
        axes.yaxis.set_major_locator(MaxNLocator(most, integer=True))


def short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
