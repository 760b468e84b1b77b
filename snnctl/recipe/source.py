"""YAML text to plain values that remember their line and column.

Anchors, aliases, tags and merge keys are refused (a recipe is one flat file, and they are what makes a
YAML bomb); duplicate keys are errors; sizes are bounded before anything is parsed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.recipe.scalars import plain_scalar

KeyPath = tuple[str | int, ...]

MAX_BYTES = 512 * 1024
MAX_DEPTH = 24
_SURROGATE = re.compile("[\ud800-\udfff]")  # only an escape such as "\ud800" brings one into text


@dataclass(frozen=True)
class Mark:
    """A place in a file; line and column count from 1. `override` is set for a value given on the command line."""

    file: str = ""
    line: int = 0
    column: int = 0
    length: int = 1
    override: str = ""

    def problem(self, code: str, message: str, **more: Any) -> Diagnostic:
        """A diagnostic that stands here; `more` are others of its fields."""
        file, override = "" if self.override else self.file, self.override
        line, column, length = self.line, self.column, self.length
        return Diagnostic(code, message, file=file, line=line, column=column, length=length, override=override, **more)


@dataclass
class Source:
    """Values as read, and where each key and value stands."""

    file: str
    text: str
    values: dict[str, Any]
    keys: dict[KeyPath, Mark] = field(default_factory=dict)
    items: dict[KeyPath, Mark] = field(default_factory=dict)

    def key_mark(self, path: KeyPath) -> Mark:
        """Where the key of `path` stands; the nearest enclosing key if it stands nowhere."""
        return self._nearest(self.keys, path)

    def value_mark(self, path: KeyPath) -> Mark:
        """Where the value of `path` stands; the nearest enclosing key if it stands nowhere."""
        return self.items[path] if path in self.items else self._nearest(self.keys, path)

    def _nearest(self, marks: dict[KeyPath, Mark], path: KeyPath) -> Mark:
        for end in range(len(path), 0, -1):
            if path[:end] in marks:
                return marks[path[:end]]
        return self.items.get((), Mark(self.file, 1, 1))


def path_text(path: KeyPath) -> str:
    """`("model", "layers", 0)` as `model.layers[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_file(path: Path) -> str:
    """The text of a recipe file.

    Raises:
        DiagnosticError: R101 not found or unreadable, R102 too large, R103 not UTF-8 text.
    """
    name = str(path)
    try:
        if path.is_dir():
            raise DiagnosticError(Diagnostic("R101", "recipe is a directory", file=name, help="name the .yaml file"))
        with _opened(path) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # it may never end, or never begin
                help = "write it into a file; `snnctl validate -` reads one from stdin"
                raise DiagnosticError(Diagnostic("R101", "recipe is a pipe or a device", file=name, help=help))
            return decode(file.read(MAX_BYTES + 1), name)
    except FileNotFoundError:
        help = _nearby(path) or "`snnctl init` copies a shipped recipe"
        raise DiagnosticError(Diagnostic("R101", "recipe not found", file=name, help=help)) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise DiagnosticError(Diagnostic("R101", f"recipe cannot be read: {reason}", file=name)) from None


def _opened(path: Path) -> BinaryIO:
    """Open to be read, without waiting for someone who writes into a pipe."""
    return open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")


def _nearby(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    found = sorted(p.name for p in path.parent.glob("*.y*ml"))[:5]
    return f"recipes there: {', '.join(found)}" if found else ""


def _too_large(file: str) -> Diagnostic:
    help = "a recipe describes an experiment; data belongs into files that it names"
    return Diagnostic("R102", f"recipe is larger than {MAX_BYTES:,} bytes", file=file, help=help)


def decode(raw: bytes, file: str) -> str:
    """Bytes as UTF-8 text.

    Raises:
        DiagnosticError: R102 too large, R103 not UTF-8 or with control characters.
    """
    if len(raw) > MAX_BYTES:
        raise DiagnosticError(_too_large(file))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        mark = Mark(file, line, column)
        raise DiagnosticError(mark.problem("R103", "recipe is not UTF-8 text", help="save it as UTF-8")) from None


def parse_yaml(text: str, file: str) -> Source:
    """Values of a YAML document whose top level is a mapping.

    Raises:
        DiagnosticError: R103 to R109, every duplicate key, anchor, alias and tag at once.
    """
    reader = _Reader(file)
    values = reader.read(text)
    if not reader.problems and not isinstance(values, dict):
        what = "empty" if values is None else "not a mapping of keys"
        mark = replace(reader.items.get((), Mark()), file=file, length=1)
        help = "`snnctl init` copies one to start from" if values is None else "it begins with `schema: 1`"
        reader.problems.append(mark.problem("R106", f"recipe is {what}", help=help))
    if reader.problems:
        raise DiagnosticError(reader.problems)
    return Source(file, text, values, reader.keys, reader.items)


def parse_value(text: str, label: str) -> Any:
    """The VALUE of `--set PATH=VALUE`, read as YAML.

    Raises:
        DiagnosticError: as `parse_yaml`, located at the override `label`.
    """
    if (
        text.startswith("%") or text == ","
    ):  # what YAML keeps for itself at the start of a line: here a pattern of dates, or a decimal mark
        return text
    reader = _Reader("")
    value = reader.read(text)
    if reader.problems:
        raise DiagnosticError(Diagnostic(d.code, d.message, override=label, help=d.help) for d in reader.problems)
    return value


class _Reader:
    """Builds values from PyYAML's event stream; collects problems instead of stopping at the first."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.keys: dict[KeyPath, Mark] = {}
        self.items: dict[KeyPath, Mark] = {}
        self.problems: list[Diagnostic] = []

    def read(self, text: str) -> Any:
        value = None
        try:
            events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
            documents = 0
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._problem("R107", "a recipe is one YAML document", event, "remove the second `---`")
                        break
                elif isinstance(event, yaml.NodeEvent):
                    value = self._node(event, events, ())
        except yaml.MarkedYAMLError as error:
            self.problems.append(self._syntax(error, text))
        except yaml.reader.ReaderError as error:
            before = text[: error.position] if isinstance(error.position, int) else ""
            number = ord(error.character) if isinstance(error.character, str) else error.character
            mark = Mark(self.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            self.problems.append(mark.problem("R103", f"character U+{number:04X} is not allowed in a recipe"))
        except _TooDeepError as deep:
            self.problems = [p for p in self.problems if p.code != "R108"]  # `{{{{` is a key within a key
            self._problem("R109", f"nested more than {MAX_DEPTH} levels deep", deep.event, "")
        return value

    def _node(self, event: yaml.NodeEvent, events: Iterator[Any], path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            raise _TooDeepError(event)
        self.items[path] = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            self._problem("R105", f"alias `*{event.anchor}` is not allowed", event, "write the value out")
            return None
        if event.anchor:
            self._problem("R105", f"anchor `&{event.anchor}` is not allowed", event, "write the value out")
        if getattr(event, "tag", None):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")  # type: ignore[attr-defined]
            self._problem("R105", f"tag `{tag}` is not allowed", event, "a recipe holds plain values")
        if isinstance(event, yaml.ScalarEvent):
            if _SURROGATE.search(event.value):
                message = "half of a surrogate pair is not a character"
                self._problem("R103", message, event, "write the character itself")
            return plain_scalar(event.value) if event.style is None else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _sequence(self, events: Iterator[Any], path: KeyPath) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._node(event, events, (*path, len(found))))
        return found

    def _mapping(self, events: Iterator[Any], path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self._problem("R108", "a key must be a plain word", event, "write `key: value`")
                self._node(event, events, (*path, "?"))
                self._node(next(events), events, (*path, "?"))
                continue
            key = event.value
            here = (*path, key)
            if key == "<<":
                self._problem("R105", "merge key `<<` is not allowed", event, "write the keys out")
            if key in found:
                help = f"first given at line {self.keys[here].line}; remove one of the two"
                self._problem("R104", f"duplicate key `{key}`", event, help)
            else:
                self.keys[here] = self._mark(event)
            found[key] = self._node(next(events), events, here)
        return found

    def _mark(self, event: yaml.Event) -> Mark:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:
            return Mark(self.file, 1, 1)
        length = end.column - start.column if end.line == start.line else 1
        return Mark(self.file, start.line + 1, start.column + 1, max(1, length))

    def _problem(self, code: str, message: str, event: yaml.Event, help: str) -> None:
        if code == "R105" and any(p.message == message for p in self.problems):
            return  # an alias may stand a thousand times
        self.problems.append(self._mark(event).problem(code, message, help=help))

    def _syntax(self, error: yaml.MarkedYAMLError, text: str) -> Diagnostic:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        lines = text.splitlines()
        row = lines[line - 1] if line <= len(lines) else ""
        if "\t" in row[: len(row) - len(row.lstrip())]:
            column = row.index("\t") + 1
            return Diagnostic("R110", file=self.file, line=line, column=column, help="indent with spaces")
        message = (error.problem or error.context or "not valid YAML").replace("\n", " ")
        help = ""
        before = row[: column - 1]
        start = error.context_mark
        if "mapping values" in message and not before.strip().isidentifier():
            help = "a value with `: ` in it needs quotes"
        elif "mapping values" in message or "expected <block end>" in message:
            column = len(before) - len(before.lstrip()) + 1
            message = "the indentation fits no line above"
            help = "keys of one mapping begin in the same column"
        elif "could not find expected ':'" in message and start is not None:
            line, column = start.line + 1, start.column + 1
            help = "a key is followed by a colon and a blank"
        elif "unexpected end of stream" in message and start is not None:
            line, column = start.line + 1, start.column + 1
            message = "the quotes are never closed"
        elif "cannot start any token" in message:
            help = "put the text in quotes"
        message = message.replace("but got '<stream end>'", "but there is no more")
        return Diagnostic("R100", facts={"message": message}, file=self.file, line=line, column=column, help=help)


class _TooDeepError(Exception):
    def __init__(self, event: yaml.Event) -> None:
        super().__init__("too deep")
        self.event = event
