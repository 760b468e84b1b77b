#!/usr/bin/env bash
# expelliarmus 1.1.12 (with NumPy 2.4.6): an EVT3 file that it writes tells the upper bits of the time once, at the start, and the
# lower twelve before every event. A reader can then only count overflows of 4,096 us, and every pause of the recording that is
# longer loses whole multiples of that, without an error: events 10 ms apart come back 1,808 us apart (10,000 mod 4,096), in
# expelliarmus itself as in other readers; events 2 ms apart come back as they were.
# EVT 3.0 wants a TIME_HIGH word whenever those bits change.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check expelliarmus==1.1.12 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'P'
import numpy as np
from expelliarmus import Wizard


def round_trip(step: int) -> tuple[np.ndarray, int]:
    """Times of 1,000 events so many us apart, written and read again, and how many TIME_HIGH words the file has."""
    events = np.zeros(1000, dtype=[("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.uint8)])
    events["t"] = np.arange(1000) * step
    wizard = Wizard(encoding="evt3")
    wizard.save(fpath=f"{step}.raw", arr=events)
    raw = open(f"{step}.raw", "rb").read()
    start = 0
    while raw[start : start + 1] == b"%":  # lines of the header
        start = raw.index(b"\n", start) + 1
    words = np.frombuffer(raw[start : len(raw) - (len(raw) - start) % 2], "<u2")
    return wizard.read(f"{step}.raw")["t"], int((words >> 12 == 8).sum())


for step, wanted in ((2_000, 2_000), (10_000, 10_000 % 4_096)):
    times, high = round_trip(step)
    apart = np.unique(np.diff(times)).tolist()
    print(f"written {step} us apart: read {apart} us apart, TIME_HIGH words: {high}")
    assert (apart, high) == ([wanted], 1), "the behaviour has changed"
P
# Output seen (2026-12-01, Python 3.11.7):
#   written 2000 us apart: read [2000] us apart, TIME_HIGH words: 1
#   written 10000 us apart: read [1808] us apart, TIME_HIGH words: 1
