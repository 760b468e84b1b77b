"""Sets of spike recordings that have a name: what is known of each, and how it is brought."""

from __future__ import annotations

from dataclasses import dataclass

from snnctl.data.known import Known

_CC_BY = "CC BY 4.0"


@dataclass(frozen=True, kw_only=True)
class KnownSpikes(Known):
    """One named set.

    Args:
        name, summary, licence, note, brought: see `Known`.
        units: channels.
        classes: how many.
        parts: part -> recordings in a genuine copy.
        sound: whether it is made of sound by snnctl's own front end.
        val_speakers, test_speakers: held out unless a recipe says otherwise; empty = drawn, or as the makers cut it.
    """

    units: int
    classes: int
    parts: dict[str, int]
    sound: bool = False
    val_speakers: tuple[int, ...] = ()
    test_speakers: tuple[int, ...] = ()


_SETS = (
    KnownSpikes(
        "shd",
        "spoken digits, English and German, through a model of the cochlea",
        units=700,
        classes=20,
        parts={"train": 8156, "test": 2264},
        brought="shd_train.h5 and shd_test.h5",
        licence=_CC_BY,
        note="from the page of the Spiking Heidelberg Datasets; it has no val part: speakers of train are held out",
    ),
    KnownSpikes(
        "ssc",
        "spoken commands through the same model",
        units=700,
        classes=35,
        parts={"train": 75466, "val": 9981, "test": 20382},
        brought="ssc_train.h5, ssc_valid.h5 and ssc_test.h5",
        licence=_CC_BY,
        note="from the page of the Spiking Heidelberg Datasets",
    ),
    KnownSpikes(
        "fsdd",
        "spoken digits in English (FSDD), through snnctl's own front end",
        units=100,
        classes=10,
        parts={"all": 3000},
        sound=True,
        brought="0_george_0.wav ... (the folder `recordings` of the Free Spoken Digit Dataset)",
        licence="CC BY-SA 4.0",
        val_speakers=(4,),
        test_speakers=(5,),
        note="not SHD: accuracies do not compare; theo validates and yweweler tests, four others train",
    ),
)

KNOWN: dict[str, KnownSpikes] = {known.name: known for known in _SETS}
