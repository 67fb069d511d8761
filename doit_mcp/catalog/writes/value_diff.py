"""Lines for values in a message to people: one for each member, however deep, with the value that it replaces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from ...api.markers import ADDRESS, addresses
from .value_formatting import MAX_LINES, MAX_VALUE, is_shortened, shortened, shown

MAX_DEPTH = 12
"""Levels of a value that have lines of their own; what is deeper is one line."""
MAX_SCANNED = 100_000
"""Characters of a text that are searched for addresses; longer ones are not read as JSON either."""
MAX_KINDS = 10
UNKNOWN = object()
"""The value before a change, where it is not known."""
PROMINENT = re.compile(
    r"e-?mail|url|uri$|account|customer|recipient|user|webhook|domain|address|role|channel|owner|collaborator",
    re.IGNORECASE,
)
"""Names of members that say whom or what a write reaches."""
ACCOUNT = re.compile(r"\b\d{12}\b")


class Line(NamedTuple):
    """One line. *kind* is the name of its value, without positions in lists. A prominent line names a target, so it
    comes before the others and is never left out for one of them."""

    kind: str
    text: str
    is_prominent: bool = False


def value_lines(name: str, value: Any, before: Any = UNKNOWN) -> Iterator[Line]:
    """The lines for *value*, compared with the one *before*."""
    yield from _lines(shortened(name), name, value, before, 0)


def _lines(path: str, kind: str, value: Any, before: Any, depth: int) -> Iterator[Line]:
    value, before = parsed(value), parsed(before)
    if isinstance(value, dict) and value and depth < MAX_DEPTH:
        old = before if isinstance(before, dict) else {}
        for name, member in value.items():
            below = f"{path}.{shortened(name)}", f"{kind}.{name}"
            yield from _lines(*below, member, old.get(name, UNKNOWN), depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH and not (_fits(value) and _fits(before)):
        yield from _items(path, kind, value, before if isinstance(before, list) else [], depth)
    else:
        changes = before is not UNKNOWN and before != value
        text = f"{path}: {shown(before)} → {shown(value)}" if changes else f"{path}: {shown(value)}"
        yield Line(kind, text, _is_prominent(kind, value))


def _items(path: str, kind: str, values: list[Any], before: list[Any], depth: int) -> Iterator[Line]:
    """The items of a list that were not there before, and those that are there no longer; where they are the same, all
    of them: an item may have lost a member that is not compared."""
    old = {_key(one) for one in before}
    new = {_key(one) for one in values} if before else old
    if old == new:
        old = set()
    for number, value in enumerate(values):
        if old and _key(value) in old:
            continue
        if isinstance(value, dict) and _fits(value):
            yield Line(kind, f"{path}[{number}]: {shown(value)}", _is_prominent(kind, value))
        else:
            yield from _lines(f"{path}[{number}]", kind, value, UNKNOWN, depth + 1)
    for value in before:
        if _key(value) not in new:
            yield Line(kind, f"{path}: remove {shown(value)}", _is_prominent(kind, value))


def _key(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def part_of(before: Any, value: Any) -> Any:
    """Of the state *before* the members that *value* has as well, at any depth."""
    if isinstance(before, dict) and isinstance(value, dict):
        return {name: part_of(before[name], member) for name, member in value.items() if name in before}
    if isinstance(before, list) and isinstance(value, list):
        names = {name: None for one in value if isinstance(one, dict) for name in one}
        return [part_of(one, names) if names and isinstance(one, dict) else one for one in before]
    return before


def parsed(value: Any) -> Any:
    """What a text holds that is the JSON of an object or a list; anything else as it is."""
    if isinstance(value, str) and len(value) <= MAX_SCANNED and value[:100].lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _fits(value: Any) -> bool:
    if isinstance(value, list) and len(value) > MAX_VALUE:
        return False
    return value is UNKNOWN or not is_shortened(orjson.dumps(value).decode())


def _is_prominent(kind: str, value: Any) -> bool:
    if PROMINENT.search(kind.rpartition(".")[2]) or ADDRESS.search(kind[:MAX_SCANNED]):
        return True
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    scanned = text[:MAX_SCANNED]
    return bool(ADDRESS.search(scanned) or ACCOUNT.search(scanned) or PROMINENT.search(_names(value)))


def _names(value: Any) -> str:
    return " ".join(value) if isinstance(value, dict) else ""


def hidden_addresses(name: str, value: Any) -> Iterator[tuple[str, list[str]]]:
    """The texts and names in *value* that are too long to be shown whole, by their paths, with the addresses in them."""
    yield from _hidden(shortened(name), value, 0)


def _hidden(path: str, value: Any, depth: int) -> Iterator[tuple[str, list[str]]]:
    value = parsed(value)
    if isinstance(value, (dict, list)) and depth < MAX_DEPTH:
        members = value.items() if isinstance(value, dict) else ((None, one) for one in value)
        for name, member in members:
            if name is not None and is_shortened(name) and (found := addresses(name[:MAX_SCANNED])):
                yield path, found
            yield from _hidden(path if name is None else f"{path}.{shortened(name)}", member, depth + 1)
        return
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if is_shortened(text) and (found := addresses(text[:MAX_SCANNED])):
        yield path, found


def limited(lines: Iterable[Line]) -> list[str]:
    """The lines that are shown, prominent ones first, and a line that counts those that are left out."""
    found = list(lines)
    chosen = [number for wanted in (True, False) for number in _spread(found, wanted)]
    left = Counter(found[number].kind for number in {*range(len(found))} - {*chosen})
    texts = [found[number].text for number in chosen]
    if not left:
        return texts
    kinds = [f"{shortened(kind)} ({count})" for kind, count in left.most_common(MAX_KINDS)]
    return [*texts, f"and {left.total()} more: {', '.join(kinds)}{', …' if len(left) > MAX_KINDS else ''}"]


def _spread(lines: list[Line], is_prominent: bool) -> list[int]:
    """The numbers of the lines that are shown: of each kind the first, then the second and so on, up to the limit."""
    ranks: Counter[str] = Counter()
    ranked: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        if line.is_prominent is is_prominent:
            ranked.append((ranks[line.kind], number))
            ranks[line.kind] += 1
    return sorted(number for _, number in sorted(ranked)[:MAX_LINES])
