"""Pre-trained vectors of words from local files, matched with the tokens of the data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.shapes import ShapeError, SignalSpec

# What the table of token vectors is called in checkpoints of BERT, GPT-2, Llama, T5 and their kin.
_TABLES = ("word_embeddings.weight", "wte.weight", "embed_tokens.weight", "shared.weight", "tok_embeddings.weight")
# How byte-level and sentence-piece vocabularies write a word that begins after a blank.
_BEGINS = ("", "Ġ", "▁")
_HELP = "a text file of words and values, .npy, .safetensors, or a folder with model.safetensors and its vocabulary"


@dataclass(frozen=True)
class Vectors:
    """Vectors for some of the data's tokens.

    Args:
        rows: [n] int64, the tokens.
        values: [n, D] float32.
    """

    rows: Tensor
    values: Tensor


def read_vectors(path: Path, signal: SignalSpec) -> Vectors:
    """The vectors of `path` for the tokens of `signal`.

    Raises:
        DiagnosticError: D101 there is no such file, D104 it cannot be read.
        ShapeError: there is not one row per token, or no word of it is a token.
    """
    if not path.exists():
        raise _problem("D101", f"no file `{path}`", path)
    if path.is_dir():
        table = _checkpoint_table(path)
        found = _matched(_vocabulary(path), signal, lambda rows: table[rows])
    elif path.suffix == ".npy":
        found = _one_row_each(torch.from_numpy(_read(path, lambda: np.load(path, allow_pickle=False))), signal, path)
    elif path.suffix == ".safetensors":
        found = _one_row_each(_safetensors_table(path), signal, path)
    else:
        found = _text(path, signal)
    if not len(found.rows):
        message = f"no word of `{path.name}` is a token of the data"
        raise ShapeError(message, knob="vectors", help="`snnctl data info RECIPE` shows tokens")
    return found


def _problem(code: str, message: str, path: Path) -> DiagnosticError:
    return DiagnosticError(Diagnostic(code, message, file=str(path), path="encoder.vectors", help=_HELP))


def _read(path: Path, read: Callable[[], Any]) -> Any:
    from safetensors import SafetensorError

    try:
        return read()
    except (OSError, ValueError, EOFError, KeyError, MemoryError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise _problem("D104", f"cannot be read: {reason}", path) from None


def _one_row_each(table: Tensor, signal: SignalSpec, path: Path) -> Vectors:
    if table.dim() != 2 or len(table) != signal.features:
        message = f"`{path.name}` holds {list(table.shape)}, not one row for each of {signal.features} tokens"
        raise ShapeError(message, knob="vectors", help="row 0 is padding, row 1 stands for unknown words")
    return Vectors(torch.arange(len(table), device="cpu"), table.float())


def _safetensors_table(path: Path) -> Tensor:
    from safetensors import safe_open

    def read() -> Tensor:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            flat = [name for name in names if len(file.get_slice(name).get_shape()) == 2]
            named = [name for name in flat if name.endswith(_TABLES)]
            wanted = named or flat
            if len(wanted) != 1:
                raise ValueError(f"expected one table of token vectors, found {len(wanted)} of {len(names)} tensors")
            return file.get_tensor(wanted[0])

    return _read(path, read)


def _checkpoint_table(folder: Path) -> Tensor:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        shards: Mapping[str, str] = _read(index, lambda: json.loads(index.read_text(encoding="utf-8"))["weight_map"])
        named = [file for name, file in shards.items() if name.endswith(_TABLES)]
        if len(named) == 1:
            return _safetensors_table(folder / named[0])
    single = folder / "model.safetensors"
    if not single.exists():
        raise _problem("D101", f"`{folder}` holds no model.safetensors", folder)
    return _safetensors_table(single)


def _vocabulary(folder: Path) -> Iterable[tuple[str, int]]:
    """Word and row of each token of a checkpoint."""
    whole, lines = folder / "tokenizer.json", folder / "vocab.txt"
    if whole.exists():
        document = _read(whole, lambda: json.loads(whole.read_text(encoding="utf-8")))
        vocabulary = document["model"]["vocab"]
        if isinstance(vocabulary, Mapping):
            return vocabulary.items()
        return [(str(entry[0]), row) for row, entry in enumerate(vocabulary)]
    if lines.exists():
        text: str = _read(lines, lambda: lines.read_text(encoding="utf-8"))
        return [(word, row) for row, word in enumerate(text.splitlines())]
    raise _problem("D101", f"`{folder}` holds neither tokenizer.json nor vocab.txt", folder)


def _matched(
    vocabulary: Iterable[tuple[str, int]], signal: SignalSpec, rows_of: Callable[[list[int]], Tensor]
) -> Vectors:
    known = dict(vocabulary)
    mine, theirs = [], []
    for token, word in enumerate(signal.words):
        row = next(
            (known[begin + form] for form in (word, word.lower()) for begin in _BEGINS if begin + form in known), None
        )
        if row is not None:
            mine.append(token)
            theirs.append(row)
    return Vectors(torch.tensor(mine, dtype=torch.int64, device="cpu"), rows_of(theirs).float())


def _text(path: Path, signal: SignalSpec) -> Vectors:
    """Lines of a word and its values; a first line of two numbers (word2vec) is passed over."""
    wanted = {form: None for word in signal.words for form in (word, word.lower())}
    values: list[list[float]] = []
    places: dict[str, int] = {}

    def read() -> None:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, *rest = line.rstrip().split(" ")
                if number == 1 and len(rest) == 1:
                    continue
                if word in wanted and word not in places:
                    places[word] = len(values)
                    values.append([float(cell) for cell in rest])
                    if len(rest) != len(values[0]):
                        raise ValueError(f"line {number} has {len(rest)} values, others have {len(values[0])}")

    _read(path, read)
    if not values:
        return Vectors(torch.empty(0, dtype=torch.int64), torch.empty(0, 0))
    table = torch.tensor(values, device="cpu")
    return _matched(places.items(), signal, lambda rows: table[rows])
