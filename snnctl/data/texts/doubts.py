"""What of texts as tokens is odd: nothing in them, most of it unknown, much of it cut off."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.cuts import SPLIT_NAMES
from snnctl.data.problems import data_warning
from snnctl.data.texts.dataset import TextSplit
from snnctl.data.texts.parts import Parts
from snnctl.data.texts.tokenizers import Vocabulary

_MOST_UNKNOWN = 0.5  # of words
_MOST_CUT = 0.1  # of texts
_MOST_EMPTY = 0.05  # of texts


def doubts(splits: Mapping[str, TextSplit], vocabulary: Vocabulary, origin: str) -> Iterator[Diagnostic]:
    """Warnings on texts as a network will see them, weightiest first."""
    shares = {name: unknown_share(splits[name].flat, vocabulary) for name in SPLIT_NAMES}
    worst = max(shares, key=lambda name: shares[name])
    if shares[worst] > _MOST_UNKNOWN:
        ideographs = any("\u3040" <= letter <= "\u9fff" for text in splits["train"].texts[:100] for letter in text)
        help = "`data.tokenizer: character` takes each character as a token, `byte_pair` knows all of them"
        help += "; blanks separate no words in these texts" if ideographs else ""
        message = (
            f"{shares[worst]:.0%} of the words of {worst} are unknown: the vocabulary has {len(vocabulary.words):,}"
        )
        yield data_warning("D276", message, file=origin, path="data.tokenizer", help=help)
    train = splits["train"]
    empty = sum(not text.strip() for text in train.texts)
    if empty > _MOST_EMPTY * len(train):
        message = f"{empty:,} of {len(train):,} texts of train are empty"
        yield data_warning(
            "D279", message, file=origin, path="data.text_column", help="`data.text_column` names the column of texts"
        )
    if train.cut_short > _MOST_CUT * len(train):
        lost = 1 - int(train.lengths.sum()) / int(train.uncut.sum())
        longest = int(train.uncut.max())
        message = (
            f"{train.cut_short:,} of {len(train):,} texts of train are cut off ({lost:.0%} of all tokens);"
            f" the longest has {longest:,} tokens"
        )
        yield data_warning(
            "D277", message, file=origin, path="data.length", help="raise `data.length`, if what stands last matters"
        )


def mended(parts: Parts, encoding: str, origin: str) -> tuple[Parts, list[Diagnostic]]:
    """Texts without halves of characters, which JSON may hold and no tokenizer takes.

    Args:
        encoding: that the recipe names; texts that are UTF-8 in truth are told.
    """
    found = _taken_for_another(parts, encoding, origin)
    try:
        for part in parts.values():
            "".join((*part.texts, *part.labels)).encode()
    except UnicodeEncodeError:
        pass
    else:
        return parts, found
    whole = {name: replace(part, texts=_whole(part.texts), labels=_whole(part.labels)) for name, part in parts.items()}
    pairs = ((old, new) for name in parts for old, new in zip(parts[name].texts, whole[name].texts, strict=True))
    count = sum(old != new for old, new in pairs)
    message = f"{count:,} texts hold half a character (a lone surrogate), read as \ufffd"
    help = "write the file as UTF-8 from whole characters"
    return whole, [*found, data_warning("D279", message, file=origin, path="data.source", help=help)]


def _taken_for_another(parts: Parts, encoding: str, origin: str) -> list[Diagnostic]:
    try:
        if codecs.lookup(encoding).name.startswith("utf"):
            return []
    except LookupError:  # names no encoding, and none was needed
        return []
    special = [text for part in parts.values() for text in part.texts if not text.isascii()]
    if sum(_is_utf_8(text, encoding) for text in special) * 2 <= len(special):
        return []
    message = f"texts are read as {encoding}, and their bytes are those of UTF-8: letters are taken apart"
    return [data_warning("D279", message, file=origin, path="data.encoding", help="`data.encoding: utf-8`")]


def _is_utf_8(text: str, encoding: str) -> bool:
    try:
        return bool(text.encode(encoding).decode("utf-8"))
    except UnicodeError:
        return False


def _whole(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts)


def unknown_share(flat: Tensor, vocabulary: Vocabulary) -> float:
    """Of the tokens `flat` [N] those that are unknown; punctuation, which is always known, does not count."""
    counts = torch.bincount(flat, minlength=len(vocabulary.words))
    words = torch.tensor([any(letter.isalnum() for letter in word) for word in vocabulary.words])
    words[vocabulary.unknown] = True
    return float(counts[vocabulary.unknown] / counts[words].sum().clamp_min(1))
