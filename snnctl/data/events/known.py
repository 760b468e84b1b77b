"""Sets of spike recordings that have a name: what is known of each, and how it is brought."""

from __future__ import annotations

from dataclasses import dataclass

_CC_BY = "CC BY 4.0"


@dataclass(frozen=True)
class KnownSpikes:
    """One named set.

    Args:
        name: what a recipe writes in `data.source`.
        summary: what it holds.
        units: channels.
        classes: how many.
        parts: part -> recordings in a genuine copy.
        files: what lies in the folder that is brought.
        licence: as its makers state it.
        val_speakers, test_speakers: held out unless a recipe says otherwise; empty = drawn, or as the makers cut it.
        note: what to mind.
    """

    name: str
    summary: str
    units: int
    classes: int
    parts: dict[str, int]
    files: str
    licence: str
    val_speakers: tuple[int, ...] = ()
    test_speakers: tuple[int, ...] = ()
    note: str = ""

    @property
    def command(self) -> str:
        """The command that makes it ready."""
        return f"snnctl data prep {self.name} --from FOLDER"


_SETS = (
    KnownSpikes(
        "shd",
        "spoken digits, English and German, through a model of the cochlea",
        700,
        20,
        {"train": 8156, "test": 2264},
        "shd_train.h5 and shd_test.h5",
        _CC_BY,
        note="from the page of the Spiking Heidelberg Datasets; it has no val part: speakers of train are held out",
    ),
    KnownSpikes(
        "ssc",
        "spoken commands through the same model",
        700,
        35,
        {"train": 75466, "val": 9981, "test": 20382},
        "ssc_train.h5, ssc_valid.h5 and ssc_test.h5",
        _CC_BY,
        note="from the page of the Spiking Heidelberg Datasets",
    ),
    KnownSpikes(
        "fsdd",
        "spoken digits in English (FSDD), through snnctl's own front end",
        100,
        10,
        {"all": 3000},
        "0_george_0.wav ... (the folder `recordings` of the Free Spoken Digit Dataset)",
        "CC BY-SA 4.0",
        val_speakers=(4,),
        test_speakers=(5,),
        note="not SHD: accuracies do not compare; theo validates and yweweler tests, four others train",
    ),
)

KNOWN_SPIKES: dict[str, KnownSpikes] = {entry.name: entry for entry in _SETS}
KNOWN_SPIKE_NAMES = tuple(KNOWN_SPIKES)
