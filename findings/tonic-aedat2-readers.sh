#!/usr/bin/env bash
# tonic 1.7.0: its readers of whole AEDAT recordings, `tonic.io.read_dvs_128` and `read_dvs_ibm`, take two values from a helper that
# gives three (`read_aedat_header_from_file`), and so end in a ValueError on every file, sound ones included. The datasets of tonic go
# other ways, so that its own downloads work.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tonic==1.7.0
cd "$folder"
venv/bin/python - <<'P'
import struct

from tonic import io

# Ten events of a DVS128: header lines, then address and time in us, four bytes each, the highest first.
header = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# Timestamps tick is 1 us\r\n"
events = b"".join(struct.pack(">ii", (5 << 8) | (7 << 1) | 1, 1000 * i) for i in range(10))
with open("ten.aedat", "wb") as file:
    file.write(header + events)
for name in ("read_dvs_128", "read_dvs_ibm"):
    try:
        getattr(io, name)("ten.aedat")
    except ValueError as error:
        print(f"{name}: {error}")
        assert "too many values to unpack" in str(error), "the behaviour has changed"
    else:
        raise SystemExit(f"{name} reads the file now")
P
# Output seen (2026-12-01, Python 3.11.7):
#   read_dvs_128: too many values to unpack (expected 2)
#   read_dvs_ibm: too many values to unpack (expected 2)
