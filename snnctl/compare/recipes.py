"""Recipes side by side: which keys differ, and the names that groups of runs get from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Flat = Mapping[str, Any]  # `model.neuron.tau` -> its value; components have their `type`

ABSENT = "(absent)"
_LONG = 4  # keys in a name beyond which the recipes' own names are better
_FEWEST_TIED = 3  # values of keys that change together, from which on one of them gives the name

# What leaves the trained network as it is: words, reporting, and the seed, over which runs are gathered.
COSMETIC: tuple[str, ...] = ("schema", "name", "summary", "plugins", "energy", "task.metrics", "task.baselines")
COSMETIC += ("train.seed", "train.log_every", "train.checkpoint_every")


def within(key: str, roots: Sequence[str]) -> bool:
    """Whether `key` is one of `roots` or lies below one."""
    return any(key == root or key.startswith(f"{root}.") for root in roots)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value that is not a mapping by its dotted path; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{path}.")
        else:
            flat[path] = value
    return flat


def aligned(flats: Sequence[Flat]) -> list[dict[str, Any]]:
    """The same, with `encoder.neuron: null` as `encoder.neuron.type: null` where another recipe has a neuron there."""
    typed = {key.removesuffix(".type") for flat in flats for key in flat if key.endswith(".type")}
    return [{f"{key}.type" if key in typed else key: value for key, value in flat.items()} for flat in flats]


def _owner_types(key: str, flat: Flat) -> tuple[Any, ...]:
    """The types of the components that `key` lies in, outermost first."""
    parts = key.split(".")
    paths = (".".join((*parts[:end], "type")) for end in range(1, len(parts)))
    return tuple(flat.get(path, ABSENT) for path in paths if path != key)


def unexplained(flats: Sequence[Flat]) -> set[str]:
    """Keys that a recipe lacks although its components are those of a recipe that has them."""
    found = set()
    for key in {key for flat in flats for key in flat}:
        having = {repr(_owner_types(key, flat)) for flat in flats if key in flat}
        if any(key not in flat and repr(_owner_types(key, flat)) in having for flat in flats):
            found.add(key)
    return found


def differing(flats: Sequence[Flat]) -> list[str]:
    """Keys whose values are not the same everywhere, in the order of the recipes."""
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({_text(flat.get(key, ABSENT)) for flat in flats}) > 1]


def told(flats: Sequence[Flat]) -> list[list[str]]:
    """For each recipe the keys that tell it from the others and are explained by no component.

    A key that one component has and another lacks goes without saying once their types are named; so do the settings
    that two different components happen to call alike, and keys that follow another, see `followers`.
    """
    led = followers(flats)
    return [[key for key in keys if key not in led] for keys in _unexplained_by_types(flats)]


def followers(flats: Sequence[Flat]) -> dict[str, str]:
    """Keys that change whenever another does and only then, with that other: one name will do.

    Only numbers: whether a network spikes is always told. Of those that change together a whole number leads, else the
    first. With fewer than three values nothing follows: of two groups that differ in two keys both have to be told.
    """
    kept = _unexplained_by_types(flats)
    alike: dict[tuple[int, ...], list[str]] = {}
    for key in dict.fromkeys(key for keys in kept for key in keys):
        texts = [_text(flat.get(key, ABSENT)) if key in own else "" for own, flat in zip(kept, flats, strict=True)]
        parts = tuple(texts.index(text) for text in texts)
        if len(set(parts)) >= _FEWEST_TIED:
            alike.setdefault(parts, []).append(key)
    led: dict[str, str] = {}
    for together in alike.values():
        keys = [key for key in together if all(is_number(flat.get(key, 0)) for flat in flats)]
        if not keys:
            continue
        whole = [key for key in keys if all(isinstance(flat.get(key, 0), int) for flat in flats)]
        leader = (whole or keys)[0]
        led |= {key: leader for key in keys if key != leader}
    return led


def is_number(value: Any) -> bool:
    """Whether it can be put in order; true and false cannot."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unexplained_by_types(flats: Sequence[Flat]) -> list[list[str]]:
    missing = unexplained(flats)
    kept: list[list[str]] = [[] for _ in flats]
    for key in differing(flats):
        concerned = [number for number, flat in enumerate(flats) if key in flat or key in missing]
        owners = {number: _nearest_type(key, flats[number]) for number in concerned}
        for number in concerned:
            alike = [flats[other].get(key, ABSENT) for other in concerned if owners[other] == owners[number]]
            if len(set(map(_text, alike))) > 1:
                kept[number].append(key)
    return kept


def _nearest_type(key: str, flat: Flat) -> str:
    """The type of the component that `key` is a setting of; a component's own type is a setting of nobody."""
    known = [kind for kind in _owner_types(key, flat) if kind != ABSENT]
    return "" if key.endswith(".type") or not known else str(known[-1])


def names(flats: Sequence[Flat], titles: Sequence[str]) -> list[str]:
    """A name for each group: `model.hierarchy.delta=-500`.

    The recipes' own `titles` are taken where there is nothing to tell apart, or too much and they do.
    """
    keys = told(flats)
    if not any(keys) or (max(map(len, keys)) > _LONG and len(set(titles)) == len(flats)):
        return list(titles)
    return [
        ", ".join(f"{title_of(key)}={shown(flat.get(key, ABSENT))}" for key in own)
        for own, flat in zip(keys, flats, strict=True)
    ]


def title_of(key: str) -> str:
    """`model.position.type` as `model.position`, which is what `--set` takes."""
    return key.removesuffix(".type") or key


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Each key by as few of its last words as tell it from the others."""
    titles = [title_of(key) for key in keys]

    def shortest(title: str) -> str:
        parts = title.split(".")
        ends = [".".join(parts[start:]) for start in range(len(parts) - 1, 0, -1)]
        return next((end for end in ends if sum(f".{one}".endswith(f".{end}") for one in titles) == 1), title)

    return {key: shortest(title_of(key)) for key in keys}


def in_short(values: Flat, among: Sequence[str]) -> str:
    """`delta=-500, layers=2`: each key as `short_keys` has it among those."""
    short = short_keys(among)
    return ", ".join(f"{short[key]}={shown(value)}" for key, value in values.items())


def shown(value: Any) -> str:
    """A value as a recipe has it, numbers as short as they read back the same."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value)


def _text(value: Any) -> str:
    """For comparing: 1 and 1.0 are the same number, 1 and "1" are not the same value."""
    return json.dumps(value) if isinstance(value, str) else shown(value)


def identity(flat: Flat, ignored: Sequence[str]) -> str:
    """The same text for recipes that train the same thing but for the seed."""
    return json.dumps({key: _text(flat[key]) for key in sorted(flat) if not within(key, ignored)})
