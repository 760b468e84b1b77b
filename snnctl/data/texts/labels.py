"""From what stands in a column of labels to classes: what is no label, what is one label spelled twice, what is odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from snnctl.core.diagnostic import Diagnostic
from snnctl.data.labels import look_alikes, look_of, number_of
from snnctl.data.problems import data_error, data_warning
from snnctl.data.texts.parts import WHOLE, Parts, Texts

# What programs write for a value that is missing, in any case; and what may be that, or a class.
_NO_LABEL = frozenset(("", "nan", "null", "<na>", "#n/a", "n/a"))
_MARKS = frozenset(("None", "NA", "?", "-", "unknown", "unlabeled", "unlabelled", "unsup"))
_MARK_NUMBERS = frozenset((Decimal(-1), Decimal(-100)))
# Above so many classes a column of labels may be one of ids, of measurements, or of texts.
_FEW = 10
_MANY, _TEXTS_EACH = 20, 5
_LARGEST = Decimal("1.8e308")


@dataclass(frozen=True)
class LabelRules:
    """How labels are read.

    Args:
        unlabelled: whether texts without a label are left out, or refused.
        marks: labels that stand for none, besides empty ones.
        case: whether labels that differ in case, blanks or width alone are several classes or one.
        named: labels that the recipe names as classes, which are never doubted.
    """

    unlabelled: Literal["drop", "refuse"] = "drop"
    marks: tuple[str, ...] = ()
    case: Literal["keep", "ignore"] = "keep"
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sorted:
    """Texts that have a label, and what was found on the way.

    Args:
        parts: without the texts that have none.
        spelled: label of a class by what stands in the source.
        counts: how often each stands there, unlabelled ones included.
        left_out: part -> texts without a label.
        warnings: weightiest first.
    """

    parts: Parts
    spelled: Mapping[str, str]
    counts: Mapping[str, int]
    left_out: Mapping[str, int]
    warnings: tuple[Diagnostic, ...]

    def class_of(self, label: str) -> str:
        """The label that `label` is one with."""
        return self.spelled.get(label, label)

    def spellings(self, label: str) -> list[str]:
        """What stands in the source for the class `label`, the most frequent first."""
        found = [written for written, of in self.spelled.items() if of == label and written in self.counts]
        return sorted(found, key=lambda written: -self.counts[written])


def sort_labels(parts: Parts, rules: LabelRules, origin: str) -> Sorted:
    """Labels brought to one spelling a class, texts without one left out.

    Numbers that are equal (1 and 1.0) are one class; labels that look alike (Positive and positive) are one where the
    rules say so, and named otherwise.

    Raises:
        DiagnosticError: D270 texts have no label and that is refused, or none has one; D274 there are as many labels as
            texts; D275 labels are measurements.
    """
    counts = Counter(label for part in parts.values() for label in part.labels)
    none = {label for label in counts if _is_none(label, rules)}
    labelled = Counter({label: count for label, count in counts.items() if label not in none})
    spelled = _spelled(labelled, rules)
    kept, left_out, warnings = _labelled(parts, none, rules, origin)
    classes: Counter[str] = Counter()
    for label, count in labelled.items():
        classes[spelled[label]] += count
    doubted = [label for label in classes if label not in {spelled.get(name, name) for name in rules.named}]
    warnings += _measured(classes, doubted, origin)
    train = kept.get("train", kept.get(WHOLE))
    if train and not rules.named:
        warnings += _too_many(len({spelled[label] for label in train.labels}), len(train), min(train.labels), origin)
    warnings += _marks(classes, doubted, origin)
    warnings += _spelled_twice(labelled, spelled, doubted, origin)
    renamed = {name: _renamed(part, spelled) for name, part in kept.items()}
    return Sorted(renamed, spelled, counts, left_out, tuple(warnings))


def _is_none(label: str, rules: LabelRules) -> bool:
    if label in rules.marks:
        return True
    number = number_of(label)
    if number is not None and number in {number_of(mark) for mark in rules.marks}:
        return True
    return label.casefold() in _NO_LABEL and label not in rules.named


def _spelled(counts: Mapping[str, int], rules: LabelRules) -> dict[str, str]:
    """Which label each is one with. Labels that the recipe tells apart stay apart."""

    def by_number(label: str) -> object:
        number = number_of(label)
        return label if number is None else number

    spelled = _joined(dict.fromkeys((*counts, *rules.named)), by_number, counts, rules.named)
    if rules.case == "ignore":
        by_look = _joined(dict.fromkeys(spelled.values()), look_of, counts, rules.named)
        spelled = {label: by_look[of] for label, of in spelled.items()}
    return spelled


def _joined(
    labels: Iterable[str], key: Callable[[str], object], counts: Mapping[str, int], named: Sequence[str]
) -> dict[str, str]:
    """Labels of one key go by the one that is named, else a whole number without a point, else the most frequent."""

    def weight(label: str) -> tuple[bool, int, str]:
        return not label.lstrip("+-").isdecimal(), -counts.get(label, 0), label.swapcase()  # small letters first

    groups: dict[object, list[str]] = {}
    for label in labels:
        groups.setdefault(key(label), []).append(label)
    made = {}
    for group in groups.values():
        chosen = [label for label in group if label in named]
        best = min(
            chosen or group,
            key=lambda label: (not label.lstrip("+-").isdecimal(), -counts.get(label, 0), label.swapcase()),
        )
        made.update({label: label if len(chosen) > 1 else best for label in group})
    return made


def _renamed(part: Texts, spelled: Mapping[str, str]) -> Texts:
    return Texts(part.texts, tuple(spelled[label] for label in part.labels), part.order, part.notes)


def _labelled(
    parts: Parts, none: set[str], rules: LabelRules, origin: str
) -> tuple[dict[str, Texts], dict[str, int], list[Diagnostic]]:
    kept, left_out = {}, {}
    for name, part in parts.items():
        places = [i for i, label in enumerate(part.labels) if label not in none] if none else range(len(part))
        if len(places) == len(part):
            kept[name] = part
            continue
        left_out[name] = len(part) - len(places)
        if rules.unlabelled == "refuse":
            first = next(i for i, label in enumerate(part.labels) if label in none)
            where = "" if name == WHOLE else f" of {name}"
            message = f"{left_out[name]:,} of {len(part):,} texts{where} have no label, the first is text {first + 1}"
            help = "label them, or leave them out by `data.unlabelled: drop`"
            raise data_error("D270", message, file=origin, path="data.unlabelled", help=help)
        if places:
            kept[name] = Texts(*_taken(part, places), part.order, part.notes)
    if not left_out:
        return kept, left_out, []
    if not kept or ("train" in parts and "train" not in kept):
        help = "`data.label_column` names the column of labels"
        raise data_error("D270", "no text of train has a label", file=origin, path="data.label_column", help=help)
    many = [f"{count:,} of {len(parts[name]):,}" + f" of {name}" * (name != WHOLE) for name, count in left_out.items()]
    gone = [name for name in left_out if name not in kept]
    written = ", ".join("empty" if not label else f"`{label}`" for label in sorted(none))
    told = f"texts without a label ({written}) are left out: {', '.join(many)}"
    told += f"; nothing is left of {' and '.join(gone)}, as if it were not there" if gone else ""
    return (
        kept,
        left_out,
        [data_warning("D270", told, file=origin, path="data.unlabelled", help="`refuse` stops at them instead")],
    )


def _taken(part: Texts, places: Iterable[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    chosen = list(places)
    return tuple(part.texts[i] for i in chosen), tuple(part.labels[i] for i in chosen)


def _measured(classes: Mapping[str, int], doubted: Sequence[str], origin: str) -> list[Diagnostic]:
    numbers = {label: number for label in doubted for number in (number_of(label),) if number is not None}
    endless = [label for label in doubted if label.casefold().lstrip("+-") in ("inf", "infinity")]
    endless += [label for label, number in numbers.items() if number.copy_abs() > _LARGEST]
    if endless and numbers:
        message = f"label `{endless[0][:40]}` is too large for a number"
        raise data_error("D275", message, file=origin, path="data.label_column")
    broken = [label for label, number in numbers.items() if number != number.to_integral_value()]
    if not broken:
        return []
    halves = all(numbers[label] * 2 == (numbers[label] * 2).to_integral_value() for label in broken)
    shown = ", ".join(f"`{label}`" for label in sorted(broken)[:3])
    message = f"labels such as {shown} are numbers with fractions"
    help = "`data.label_column` names another column; `data.labels` names them, if they are classes"
    if halves and len(classes) <= _MANY:
        told = f"{message}, taken for {len(classes)} classes without an order"
        return [data_warning("D275", told, file=origin, path="data.label_column", help=help)]
    message += ": measurements, not classes"
    raise data_error("D275", message, file=origin, path="data.label_column", help=help)


def _too_many(classes: int, texts: int, example: str, origin: str) -> list[Diagnostic]:
    message = f"{texts:,} texts of train have {classes:,} different labels, such as `{example[:40]}`"
    help = "`data.label_column` names another column"
    if classes > _FEW and classes * 2 > texts:
        raise data_error("D274", f"{message}: no classes", file=origin, path="data.label_column", help=help)
    few = classes > _MANY and texts < _TEXTS_EACH * classes
    told = f"{message}: under {_TEXTS_EACH} texts to learn each from"
    return [data_warning("D274", told, file=origin, path="data.label_column", help=help)] if few else []


def _marks(classes: Mapping[str, int], doubted: Sequence[str], origin: str) -> list[Diagnostic]:
    """Labels that mark texts without one in many public files, beside labels that do not go with them."""
    numbers = {label: number_of(label) for label in classes}
    marks = [label for label in doubted if numbers[label] in _MARK_NUMBERS]
    others = [number for label, number in numbers.items() if label not in marks]
    counted = Decimal(0) in others and all(number is not None and number >= 0 for number in others)
    found = [*(marks if counted else []), *(label for label in doubted if label in _MARKS)]
    if not found or len(found) == len(classes):
        return []
    many = ", ".join(f"`{label}` ({classes[label]:,} texts)" for label in sorted(found))
    others_shown = ", ".join(f"`{label}`" for label in sorted(label for label in classes if label not in found)[:5])
    message = f"label {many} stands beside {others_shown}: files mark texts without a label so; taken for a class"
    listed = ", ".join(f'"{label}"' for label in sorted(found))
    help = f"`data.unlabelled_marks: [{listed}]` leaves them out; naming it in `data.labels` says that it is a class"
    return [data_warning("D271", message, file=origin, path="data.unlabelled_marks", help=help)]


def _spelled_twice(
    counts: Mapping[str, int], spelled: Mapping[str, str], doubted: Sequence[str], origin: str
) -> list[Diagnostic]:
    written: dict[str, list[str]] = {}
    for label in counts:
        written.setdefault(spelled[label], []).append(label)
    numbers = [group for group in written.values() if sum(number_of(label) is not None for label in group) > 1]
    made = []
    if numbers:
        message = f"{_all_counted(numbers, counts)}: taken for one class each, as equal numbers"
        made.append(data_warning("D272", message, file=origin, path="data.label_column", help="write them alike"))
    alike = look_alikes(doubted)
    if alike:
        message = f"{_all_counted(alike, counts)}: taken for classes of their own, though they look like one"
        help = "`data.label_case: ignore` makes them one; or write them alike"
        made.append(data_warning("D273", message, file=origin, path="data.label_case", help=help))
    return made


def _all_counted(groups: Sequence[Sequence[str]], counts: Mapping[str, int]) -> str:
    """The first groups of labels, each with its count."""
    shown = [" and ".join(f"`{label}` ({counts.get(label, 0):,})" for label in sorted(group)) for group in groups[:3]]
    return "; ".join(shown) + (f"; and {len(groups) - 3:,} more" if len(groups) > 3 else "")
