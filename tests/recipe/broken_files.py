"""What lies beside the broken recipes when they are checked: data, plug-ins, and recipes that are no text files."""

from collections.abc import Callable
from pathlib import Path

ROWS = [f"{i},{(i * 7) % 11 + i / 100:.2f}" for i in range(300)]
PLUGIN = """
from typing import Annotated

from annotated_types import Gt

from snnctl.neurons import LIF
from snnctl.core.catalog import NEURONS


@NEURONS.register("{name}")
class Mine(LIF):
    \"\"\"A neuron of our own.

    Args:
        leak: share of the membrane that is lost per step.
    \"\"\"

    def __init__(self, channels: int, *, leak: {annotation} = 0.5) -> None:
        {body}
"""


def plugin(name: str, body: str = "super().__init__(channels)", annotation: str = "Annotated[float, Gt(0.0)]") -> str:
    """The source of a plug-in that registers the neuron `name`."""
    return PLUGIN.format(name=name, body=body, annotation=annotation)


def csv(*rows: str) -> str:
    """A table with a row number and a value."""
    return "\n".join(["step,value", *rows]) + "\n"


FILES: dict[str, str | bytes] = {
    "good.csv": csv(*ROWS),
    "empty.csv": "",
    "header.csv": csv(),
    "binary.csv": bytes(range(256)) * 8,
    "folder.csv/readme": "",
    "series.xlsx": b"PK\3\4",
    "ragged.csv": csv(*ROWS[:9], "9", *ROWS[10:]),
    "page.csv": "<!DOCTYPE html>\n<html><body>404: Not Found</body></html>\n",
    "short.csv": csv(*ROWS[:20]),
    "nan.csv": csv(*(f"{i},nan" for i in range(300))),
    "gap.csv": csv(*ROWS[:99], "99,", *ROWS[100:]),
    "infinite.csv": csv(*ROWS[:99], "99,inf", *ROWS[100:]),
    "text_far_down.csv": csv(*ROWS[:199], "199,broken", *ROWS[200:]),
    "commas.csv": "step;value\n" + "\n".join(f"{i};{i % 9 + 1},500" for i in range(300)) + "\n",
    "good.py": plugin("good"),
    "syntax_error.py": "from snnctl.core.catalog import NEURONS\n\ndef broken(:\n    pass\n",
    "raises.py": "import math\n\nraise ValueError(f'not with pi = {math.pi:.2f}')\n",
    "nothing.py": "import math\n",
    "duplicate.py": plugin("lif"),
    "bad_signature.py": plugin("mine", annotation="object()"),
    "wrong_shape.py": plugin(
        "wide",
        "super().__init__(channels)\n\n    def scan(self, x, state):\n"
        "        s, v = super().scan(x, state)\n        return s[..., :-1], v",
    ),
    "fails_when_built.py": plugin("fragile", "super().__init__(channels, tau='two')\n        raise KeyError('tau')"),
    "notes.txt": "not Python",
}

MEGABYTE = b"x" * (1 << 20)


def _write(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _hundred_megabytes(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"schema: 1\nname: ")
        for _ in range(100):
            file.write(MEGABYTE)


# Recipes that cannot lie in the repository as text.
GENERATED: dict[str, Callable[[Path], None]] = {
    "empty_file": _write(b""),
    "binary_file": _write(b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
    "not_utf8": _write("schema: 1\nname: tiny\nsummary: gr\xfcn\n".encode("latin-1")),
    "utf16": _write("schema: 1\nname: tiny\n".encode("utf-16")),
    "nul_byte": _write(b"schema: 1\nname: ti\0ny\n"),
    "escape_byte": _write(b"schema: 1\nname: \x1b[31mtiny\n"),
    "hundred_megabyte_scalar": _hundred_megabytes,
    "hundred_thousand_brackets": _write(b"schema: " + b"[" * 100_000),
    "two_thousand_unknown_keys": _write(b"".join(b"k%d: 1\n" % i for i in range(2000))),
    "long_key": _write(b"schema: 1\n" + b"k" * 1000 + b": 1\n"),
    "long_line": _write(b"schema: 1\nname: tiny\nsummary: [" + b"x, " * 200 + b"x]\n"),
    "huge_integer": _write(b"schema: 1" + b"0" * 390 + b"\n"),
    "a_folder": lambda path: path.mkdir(),
    "no_such_file": lambda path: None,
}


def lay_out(folder: Path) -> None:
    """Write `FILES` into `folder`."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
