"""`snnctl/README.md` shows the rooms: all of them, from the bottom up, with the files and imports that they have."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import snnctl

PACKAGE = Path(snnctl.__file__).parent
PROJECT = Path(__file__).parents[2]
NAMES = re.compile(r"`([\w./]+)`")


def sections() -> dict[str, tuple[str, set[str]]]:
    """Room -> what is written of it, and the rooms that it says it imports."""
    found = {}
    for section in (PACKAGE / "README.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        text, _, imports = body.rpartition("\nImports: ")
        found[title.strip("`")] = (text, set(NAMES.findall(imports)))
    return found


ROOMS = sections()


@cache
def imports_of(room: str) -> frozenset[str]:
    """Rooms that `room` imports, those within functions included, those for types alone left out."""
    place = PACKAGE / room
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    found = {name for file in files for name in _imported(ast.parse(file.read_text(encoding="utf-8")))}
    return frozenset(found - {room.removesuffix(".py"), "__version__"})


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    yield from (name.split(".")[1] for name in names if name.startswith("snnctl."))
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)


def test_every_room_is_there() -> None:
    there = {path.name for path in PACKAGE.iterdir() if path.name not in ("__init__.py", "__main__.py", "__pycache__")}
    assert set(ROOMS) == {name for name in there if name.endswith(".py") or "." not in name} - {"shipped_recipes"}


@pytest.mark.parametrize("room", ROOMS)
class TestRoom:
    def test_its_imports_are_those_it_names(self, room: str) -> None:
        assert ROOMS[room][1] == imports_of(room)

    def test_it_knows_only_rooms_above(self, room: str) -> None:
        above = [name.removesuffix(".py") for name in ROOMS]
        assert imports_of(room) <= set(above[: above.index(room.removesuffix(".py"))])

    def test_files_that_it_names_exist(self, room: str) -> None:
        place = PACKAGE / room
        inside = {path.name for path in place.rglob("*")}
        for name in NAMES.findall(ROOMS[room][0]):
            if name.endswith((".py", ".toml")):
                assert name in inside or any((top / name).exists() for top in (place, PACKAGE, PROJECT)), name

    def test_it_takes_ten_lines(self, room: str) -> None:
        assert len(ROOMS[room][0].strip().splitlines()) <= 10
