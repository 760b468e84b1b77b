"""Series that have a name: what is known of each, and where it may be fetched."""

from __future__ import annotations

from dataclasses import dataclass

_LAI = (
    "https://raw.githubusercontent.com/laiguokun/multivariate-time-series-data/7f402f185cc2435b5e66aed13a3b560ed142e023"
)
_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small"
_ETT_LICENCE = "CC BY-ND 4.0: keep verbatim, no derivatives"
_LAI_LICENCE = "none stated"
_PUBLIC = "public domain"


@dataclass(frozen=True)
class KnownSeries:
    """One named series.

    Args:
        name: what a recipe writes in `data.source`.
        summary: what it measures, and how often.
        season: rows in one season, for the seasonal baseline; None when it has none.
        licence: as its source states it.
        rows, columns: what a genuine copy holds; None where it is not known for certain.
        builtin: whether it ships with snnctl.
        url: where `snnctl data prep` gets it; "" when the user must bring the file.
        sha256: of the file at `url`, or "".
        note: what to mind.
    """

    name: str
    summary: str
    season: int | None
    licence: str
    rows: int | None = None
    columns: int | None = None
    builtin: bool = False
    url: str = ""
    sha256: str = ""
    note: str = ""

    @property
    def command(self) -> str:
        """The command that makes it ready."""
        return f"snnctl data prep {self.name}" + ("" if self.url or self.builtin else " --from FILE")


_ZEROS = "zeros are missing readings: set `missing: zero_is_missing`"

_SERIES = (
    KnownSeries("co2", "atmospheric CO2 at Mauna Loa, weekly", 52, _PUBLIC, 2284, 1, builtin=True),
    KnownSeries("elnino", "sea surface temperature, Niño 1+2, monthly", 12, _PUBLIC, 732, 1, builtin=True),
    KnownSeries("sunspots", "sunspot activity, yearly", 11, _PUBLIC, 309, 1, builtin=True),
    KnownSeries(
        "etth1",
        "electricity transformer, hourly",
        24,
        _ETT_LICENCE,
        17420,
        7,
        url=f"{_ETT}/ETTh1.csv",
        sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    ),
    KnownSeries("etth2", "electricity transformer, hourly", 24, _ETT_LICENCE, None, 7, url=f"{_ETT}/ETTh2.csv"),
    KnownSeries("ettm1", "electricity transformer, 15 minutes", 96, _ETT_LICENCE, None, 7, url=f"{_ETT}/ETTm1.csv"),
    KnownSeries("ettm2", "electricity transformer, 15 minutes", 96, _ETT_LICENCE, None, 7, url=f"{_ETT}/ETTm2.csv"),
    KnownSeries(
        "electricity",
        "electricity use of 321 clients, hourly",
        24,
        _LAI_LICENCE,
        26304,
        321,
        url=f"{_LAI}/electricity/electricity.txt.gz",
    ),
    KnownSeries(
        "solar",
        "production of 137 solar plants in Alabama, 10 minutes",
        144,
        _LAI_LICENCE,
        52560,
        137,
        url=f"{_LAI}/solar-energy/solar_AL.txt.gz",
        note="zeros are nights, not missing readings",
    ),
    KnownSeries(
        "traffic",
        "road occupancy at 862 sensors, hourly",
        24,
        _LAI_LICENCE,
        17544,
        862,
        url=f"{_LAI}/traffic/traffic.txt.gz",
    ),
    KnownSeries(
        "exchange_rate",
        "exchange rates of 8 countries, daily",
        None,
        _LAI_LICENCE,
        7588,
        8,
        url=f"{_LAI}/exchange_rate/exchange_rate.txt.gz",
        note="a copy of the last value is hard to beat; R2 pooled over columns flatters every model",
    ),
    KnownSeries(
        "metr-la",
        "highway speed at 207 sensors in Los Angeles, 5 minutes",
        288,
        "none stated",
        34272,
        207,
        note=f"bring metr-la.h5; {_ZEROS}",
    ),
    KnownSeries(
        "pems-bay",
        "highway speed at 325 sensors in the Bay Area, 5 minutes",
        288,
        "none stated",
        52116,
        325,
        note=f"bring pems-bay.h5; {_ZEROS}",
    ),
)

KNOWN: dict[str, KnownSeries] = {series.name: series for series in _SERIES}
KNOWN_NAMES = tuple(KNOWN)
