"""Series that have a name: what is known of each, and where it may be fetched."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from snnctl.data.known import Known

_LAI = (
    "https://raw.githubusercontent.com/laiguokun/multivariate-time-series-data/7f402f185cc2435b5e66aed13a3b560ed142e023"
)
_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small"
_BY_ND = "CC BY-ND 4.0: keep verbatim, no derivatives"
_PUBLIC = "public domain"


@dataclass(frozen=True)
class KnownSeries(Known):
    """One named series.

    Args:
        name, summary, licence, note, url: see `Known`.
        season: rows in one season, for the seasonal baseline; None when it has none.
        rows, columns: what a genuine copy holds; None where it is not known for certain.
        builtin: whether it ships with snnctl.
        sha256: of the file at `url`, or "".
    """

    asks: ClassVar[str] = "FILE"

    season: int | None
    _: KW_ONLY
    rows: int | None = None
    columns: int | None = None
    builtin: bool = False
    sha256: str = ""

    @property
    def fetchable(self) -> bool:
        """Whether it ships with snnctl, or has an address."""
        return self.builtin or bool(self.url)


_ZEROS = "zeros are missing readings: set `missing: zero_is_missing`"

_SERIES = (
    KnownSeries("co2", "atmospheric CO2 at Mauna Loa, weekly", 52, licence=_PUBLIC, rows=2284, columns=1, builtin=True),
    KnownSeries(
        "elnino", "sea surface temperature, Niño 1+2, monthly", 12, licence=_PUBLIC, rows=732, columns=1, builtin=True
    ),
    KnownSeries("sunspots", "sunspot activity, yearly", 11, licence=_PUBLIC, rows=309, columns=1, builtin=True),
    KnownSeries(
        "etth1",
        "electricity transformer, hourly",
        24,
        licence=_BY_ND,
        rows=17420,
        columns=7,
        url=f"{_ETT}/ETTh1.csv",
        sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    ),
    KnownSeries("etth2", "electricity transformer, hourly", 24, columns=7, licence=_BY_ND, url=f"{_ETT}/ETTh2.csv"),
    KnownSeries("ettm1", "electricity transformer, 15 minutes", 96, columns=7, licence=_BY_ND, url=f"{_ETT}/ETTm1.csv"),
    KnownSeries("ettm2", "electricity transformer, 15 minutes", 96, columns=7, licence=_BY_ND, url=f"{_ETT}/ETTm2.csv"),
    KnownSeries(
        "electricity",
        "electricity use of 321 clients, hourly",
        24,
        rows=26304,
        columns=321,
        url=f"{_LAI}/electricity/electricity.txt.gz",
    ),
    KnownSeries(
        "solar",
        "production of 137 solar plants in Alabama, 10 minutes",
        144,
        rows=52560,
        columns=137,
        url=f"{_LAI}/solar-energy/solar_AL.txt.gz",
        note="zeros are nights, not missing readings",
    ),
    KnownSeries(
        "traffic",
        "road occupancy at 862 sensors, hourly",
        24,
        rows=17544,
        columns=862,
        url=f"{_LAI}/traffic/traffic.txt.gz",
    ),
    KnownSeries(
        "exchange_rate",
        "exchange rates of 8 countries, daily",
        None,
        rows=7588,
        columns=8,
        url=f"{_LAI}/exchange_rate/exchange_rate.txt.gz",
        note="a copy of the last value is hard to beat; R2 pooled over columns flatters every model",
    ),
    KnownSeries(
        "metr-la",
        "highway speed at 207 sensors in Los Angeles, 5 minutes",
        288,
        rows=34272,
        columns=207,
        note=f"bring metr-la.h5; {_ZEROS}",
    ),
    KnownSeries(
        "pems-bay",
        "highway speed at 325 sensors in the Bay Area, 5 minutes",
        288,
        rows=52116,
        columns=325,
        note=f"bring pems-bay.h5; {_ZEROS}",
    ),
)

KNOWN: dict[str, KnownSeries] = {series.name: series for series in _SERIES}
