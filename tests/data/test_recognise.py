"""What a file or folder is taken for, by its name and its first bytes."""

import gzip
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from snnctl.core.diagnostic import DiagnosticError
from snnctl.data.recognise import recognise


def put(place: Path, content: Any) -> Path:
    """A file or, of a mapping, a folder."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        for name, inner in content.items():
            put(place / name, inner)
    elif isinstance(content, bytes):
        place.write_bytes(content)
    elif isinstance(content, str):
        place.write_text(content, encoding="utf-8")
    else:
        content(place)
    return place


def arrays(**named: Any) -> Any:
    return lambda place: np.savez(place, **named)


def array(*shape: int, kind: str = "uint8") -> Any:
    return lambda place: np.save(place, np.zeros(shape, kind))


def picture(place: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(place)


def table(**columns: Any) -> Any:
    return lambda place: pq.write_table(pa.table(columns), place)


def hdf5(**named: Any) -> Any:
    def write(place: Path) -> None:
        with h5py.File(place, "w") as file:
            for name, values in named.items():
                file[name.replace("__", "/")] = values

    return write


EVENTS = {"t": np.arange(3), "x": np.arange(3), "y": np.arange(3), "p": np.zeros(3, int)}
HOURS = [f"2020-01-{day:02d} 00:00:00" for day in range(1, 21)]
SERIES: dict[str, Any] = {
    "plain.csv": "date,load\n" + "".join(f"{hour},{i}.5\n" for i, hour in enumerate(HOURS)),
    "headless.csv": "".join(f"{i},{i * i}.25\n" for i in range(20)),
    "comma.csv": "Datum;Wert\n" + "".join(f"{i + 1}.01.2020 10:00;{i},5\n" for i in range(20)),
    "power.txt": "Date;Time;active\n" + "".join(f"{i + 1}/1/2020;17:24:00;{'?' if i < 5 else i}\n" for i in range(20)),
    "blanks.txt": "".join(f"{i} {i / 2}\n" for i in range(20)),
    "store.csv": "date,store,sales\n" + "".join(f"2020-01-{i + 1:02d},berlin,{i}\n" for i in range(20)),
    "one.csv": "load\n" + "".join(f"{i}\n" for i in range(20)),
    "comments.csv": "# from a logger, 2020\n# volts\ntime,v\n" + "".join(f"{i},{i / 3:.3f}\n" for i in range(20)),
    "packed.csv.gz": gzip.compress(b"date,v\n2020-01-01,1\n2020-01-02,2\n", mtime=0),
    "wide.csv": "date,v\n2020-01-01,1\n2020-01-02,2\n".encode("utf-16"),
    "target.csv": "date,target\n" + "".join(f"{hour},{i % 2}\n" for i, hour in enumerate(HOURS)),
    "matrix.npy": array(20, 3, kind="float32"),
    "matrix.npz": arrays(data=np.zeros((20, 3))),
    "table.parquet": table(v=[1.0, 2.0], store=["a", "b"]),
    "table.h5": hdf5(values=np.zeros((20, 3))),
    "station.dat": "".join(f"{i} {i / 2}\n" for i in range(20)),
}
TEXTS: dict[str, Any] = {
    "named.csv": "text,label\n" + "".join(f"a film {i},{i % 2}\n" for i in range(20)),
    "empty.csv": "text,label\n" + "".join(f"a film {i},{'' if i < 8 else i % 2}\n" for i in range(20)),
    "chinese.csv": "label,review\n" + "".join(f"{i % 2},房间很大{i}\n" for i in range(20)),
    "headless.tsv": "".join(f"a long sentence about film {i}\t{i % 2}\n" for i in range(20)),
    "other.csv": "id,tweet,mood\n" + "".join(f"{i},this is what they said {i},{i % 3}\n" for i in range(20)),
    "quoted.csv": 'text,label\n"first, with a comma",1\n"second; and more",0\n',
    "lines.txt": "".join(f"LOC:city where is the town {i} ?\n" for i in range(20)),
    "rows.jsonl": json.dumps({"text": "a", "label": 1}),
    "rows.parquet": table(sentence=["a", "b"], label=[0, 1]),
    "MR": {"rt-polarity.pos": "a fine film\n", "rt-polarity.neg": "a dull film\n"},
    "SST": {"train.tsv": "a fine film\t1\na dull film\t0\n", "dev.tsv": "so so in every way\t1\nno\t0\n"},
    "aclImdb": {part: {c: {"1.txt": "words and words"} for c in ("pos", "neg")} for part in ("train", "test")},
}
IMAGES: dict[str, Any] = {
    "pictures": {"cat": {"a.png": picture}, "dog": {"b.png": picture}},
    "set.tar.gz": b"what it holds is for its reader to say",
    "set.npz": arrays(images=np.zeros((4, 5, 5)), labels=np.zeros(4, int)),
    "cut.npz": arrays(train_x=np.zeros((4, 5, 5)), train_y=np.zeros(4, int)),
    "idx": {"t10k-images-idx3-ubyte": b"x", "t10k-labels-idx1-ubyte": b"x"},
    "hub": {"train.parquet": table(image=[{"bytes": b"", "path": ""}], label=[0])},
}
RECORDINGS: dict[str, Any] = {
    "one.npz": arrays(**EVENTS),
    "spikes": {"c0": {"a.npz": arrays(t=np.zeros(2), unit=np.zeros(2, int))}},
    "pixels": {"c0": {"a.npz": arrays(**EVENTS)}},
    "gestures": {"c0": {"a.npy": array(9, 4)}},
    "nmnist": {"0": {"a.bin": b"\0\1\2\3\4"}, "1": {"a.bin": b"\0\1\2\3\4"}},
    "davis.aedat4": b"#!AER-DAT4.0\r\n",
    "prophesee.dat": b"% Data file containing CD events\n" + bytes(range(64)),
    "shd.h5": hdf5(spikes__times=[0.0], spikes__units=[0], labels=[0]),
    "davis.h5": hdf5(events__x=[0], events__y=[0], events__t=[0], events__p=[0]),
}
VIDEO: dict[str, Any] = {
    "clips.npy": array(3, 5, 8, 8),
    "clips.npz": arrays(train=np.zeros((3, 5, 8, 8)), test=np.zeros((3, 5, 8, 8))),
    "taxi.npz": arrays(X_train=np.zeros((2, 4, 2, 8, 8)), Y_train=np.zeros((2, 4, 2, 8, 8))),
    "kth": {"walking": {"person01_walking_d1": {"image_0001.jpg": picture}}},
    "clip": {f"f{i:03d}.png": picture for i in range(3)},
    "film.mp4": b"\0\0\0 ftyp",
}
CASES = [
    (kind, name, content)
    for kind, cases in (
        ("series", SERIES),
        ("texts", TEXTS),
        ("images", IMAGES),
        ("events", RECORDINGS),
        ("video", VIDEO),
    )
    for name, content in cases.items()
]


@pytest.mark.parametrize(("kind", "name", "content"), CASES, ids=[f"{kind}-{name}" for kind, name, _ in CASES])
def test_kinds(kind: str, name: str, content: Any, tmp_path: Path) -> None:
    found = recognise(put(tmp_path / name, content))
    assert found.kind == kind, found
    assert found.reason


def test_what_could_be_something_else_is_said(tmp_path: Path) -> None:
    frames = {clip: {f"x{i:04d}.png": picture for i in range(3)} for clip in ("c1", "c2")}
    assert recognise(put(tmp_path / "frames", frames)).also == ("video",)
    assert recognise(put(tmp_path / "clips.npy", array(3, 5, 8, 8))).also == ("images",)
    assert recognise(put(tmp_path / "cube.npy", array(3, 8, 8))).also == ("images", "video")
    log = "date,comment,label,volts\n" + "".join(
        f"{hour},all is well today,{i % 2},{i}.5\n" for i, hour in enumerate(HOURS)
    )
    mixed = recognise(put(tmp_path / "log.csv", log))
    assert (mixed.kind, mixed.also) == ("series", ("texts",))
    assert recognise(put(tmp_path / "plain.csv", SERIES["plain.csv"])).also == ()


def test_the_place_that_is_read(tmp_path: Path) -> None:
    idx = put(tmp_path / "mnist", IMAGES["idx"])
    assert recognise(idx / "t10k-images-idx3-ubyte").source == idx
    folder = put(tmp_path / "ett", {"ETTh1.csv": SERIES["plain.csv"], "LICENSE": "free", "SOURCE.md": "the web"})
    assert recognise(folder).source == folder / "ETTh1.csv"
    archived = put(tmp_path / "cifar", {"set.tar.gz": b"x", "SOURCE.md": "the web"})
    assert recognise(archived).source == archived / "set.tar.gz"


def test_frames_are_for_another_component(tmp_path: Path) -> None:
    whole = arrays(frames=np.zeros((4, 3, 2, 5, 5)), labels=np.zeros(4, int))
    assert recognise(put(tmp_path / "dvs.npz", whole)).component == "event_frames"
    each = {"a": {"1.npz": arrays(frames=np.zeros((3, 2, 5, 5)))}}
    assert recognise(put(tmp_path / "dvs", each)).component == "event_frames"
    beside = put(tmp_path / "set", {"x.npy": array(4, 5, 5), "labels.npy": array(4)})
    assert recognise(beside / "x.npy").kind == "images"


@pytest.mark.parametrize(
    ("code", "name", "content"),
    [
        ("D102", "empty.csv", b""),
        ("D104", "blank.csv", b"\n\n\n"),
        ("D104", "broken.npz", b"PK\3\4 and no more"),
        ("D104", "broken.npy", b"\x93NUMPY\1\0v\0junk"),
        ("D104", "broken.h5", b"\x89HDF\r\n\x1a\n" + bytes(50)),
        ("D104", "broken.parquet", b"PAR1junkPAR1"),
        ("D104", "broken.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:30]),
        ("D105", "strange", bytes(range(256))),
        ("D105", "nothing", {"README.md": "words"}),
        ("D105", "many", {"a.csv": SERIES["plain.csv"], "b.csv": SERIES["plain.csv"]}),
    ],
)
def test_what_is_refused(code: str, name: str, content: Any, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        recognise(put(tmp_path / name, content))
    assert [problem.code for problem in caught.value.diagnostics] == [code]


def test_nothing_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="D101"):
        recognise(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DiagnosticError, match="D104"):
        recognise(tmp_path / "pipe")
    with pytest.raises(DiagnosticError, match="D105"):  # a pipe in a folder is no data, and never waited for
        recognise(tmp_path)


SUFFIXES = (".csv", ".txt", ".npy", ".npz", ".h5", ".parquet", ".csv.gz", ".dat", ".json", "")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1, max_size=300), suffix=st.sampled_from(SUFFIXES))
def test_any_bytes_are_told_or_refused(content: bytes, suffix: str, tmp_path: Path) -> None:
    try:
        said = recognise(put(tmp_path / f"x{suffix}", content)).kind
    except DiagnosticError as error:
        said = error.diagnostics[0].code
    assert said in ("series", "texts", "events", "images", "video", "D102", "D104", "D105")


@pytest.mark.parametrize(
    "header", ["'''", "(" * 9000, "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"]
)
def test_headers_that_lie(tmp_path: Path, header: str) -> None:
    head = header.encode() + b"\n"
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(80)
    (tmp_path / "a.npy").write_bytes(raw)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as pack:
        pack.writestr("a.npy", raw)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DiagnosticError, match=r"D104|D232"):
            recognise(tmp_path / name)
