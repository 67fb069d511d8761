"""Formats values for messages to users: one line for each member, at any depth, with the value that it replaces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from ...api.markers import ADDRESS, find_addresses
from .conditions import CONDITION_DEFAULTS, is_condition, match_conditions, without_defaults
from .value_formatting import MAX_LINES, MAX_VALUE_CHARACTERS, is_shortened, preview_value, shorten_value

MAX_DEPTH = 12
"""Number of levels of a value that get separate lines; anything deeper is on one line."""
MAX_SCANNED_CHARACTERS = 100_000
"""Maximum number of characters of a text to search for addresses. Longer texts are not parsed as JSON."""
MAX_KINDS = 10
UNKNOWN = object()
"""The previous value, if it is unknown."""
PROMINENT_NAME_PATTERN = re.compile(
    r"e-?mail|url|uri$|account|customer|recipient|user|webhook|domain|address|role|channel|owner|collaborator",
    re.IGNORECASE,
)
"""Names of members that identify the recipients or targets of a write."""
SECRET_NAME_PATTERN = re.compile(
    r"(?:passwor[dt]|passwd|passphrase|secret|token|api_?key|private_?key|access_?key|authorization|credential)$",
    re.IGNORECASE,
)
"""Endings of the names of members that are secrets, such as those in the payload of a flow."""
HIDDEN, HIDDEN_BEFORE = "(not shown)", "(another value, not shown)"
"""Placeholders for secrets."""
MAX_NAME_CHARACTERS = 100
"""Number of characters at the end of a name that are searched for a word."""
ACCOUNT_ID_PATTERN = re.compile(r"\b\d{12}\b")


VOLATILE_FIELDS = frozenset(
    "basis breaksOn createTime createdAt currentUtilization etag exceededOn failed forecastedDate forecastedUtilization"
    " forecastedUtilizationDate lastAlerted lastAlertedTime lastLogin lastUpdated lastUsedTime percentUsed period"
    " periodLimit status supportedFeatures timeCreated timeLinked timeModified triggered updateTime updatedAt updatedBy url".split()
)
"""Members, at any depth, that change on their own or with each write. What users set is never among them."""
MAX_STATE_DEPTH = 12
"""Maximum depth at which the state of an object is searched for volatile members."""


class DiffLine(NamedTuple):
    """One line: the value at *path*, the one *before*, and the one *after*, which is UNKNOWN for a removed item.

    *kind* is the path without list positions. A prominent line names a target, so it precedes all other lines and is
    the last to be omitted. *list_path* is the path of the list whose item was added or removed, else "".
    """

    kind: str
    path: str
    before: Any
    after: Any
    is_prominent: bool = False
    list_path: str = ""

    @property
    def text(self) -> str:
        """The line as text."""
        if self.after is UNKNOWN:
            return f"{self.path}: remove {preview_value(self.before)}"
        if self.before is UNKNOWN or self.before == self.after:
            return f"{self.path}: {preview_value(self.after)}"
        return f"{self.path}: {preview_value(self.before)} → {preview_value(self.after)}"


def value_lines(name: str, value: Any, before: Any = UNKNOWN) -> Iterator[DiffLine]:
    """Yield the lines for *value*, compared with the one *before*."""
    yield from _diff_lines(shorten_value(name), name, value, before, 0)


def _diff_lines(path: str, kind: str, value: Any, before: Any, depth: int) -> Iterator[DiffLine]:
    value, before = parse_embedded_json(value), parse_embedded_json(before)
    before = _list_ids(before) if _is_id_list(value) else before
    if isinstance(value, dict) and value and depth < MAX_DEPTH:
        old_members = before if isinstance(before, dict) else {}
        for name, member in value.items():
            old_member = old_members.get(name, UNKNOWN)
            yield from _diff_lines(f"{path}.{shorten_value(name)}", f"{kind}.{name}", member, old_member, depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH and not (_fits_on_line(value) and _fits_on_line(before)):
        yield from _list_lines(path, kind, value, before if isinstance(before, list) else [], depth)
    else:
        old, new = mask_secrets(before, kind), mask_secrets(value, kind)
        is_new_secret = new == HIDDEN == old and value != before
        yield DiffLine(kind, path, HIDDEN_BEFORE if is_new_secret else old, new, _is_prominent(kind, value))


def _is_id_list(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(item, str) for item in value)


def _list_ids(before: Any) -> Any:
    """Return the ids of a list of objects, which the API shows for a list of ids; anything else unchanged."""
    if isinstance(before, list) and all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in before):
        return [item["id"] for item in before]
    return before


def is_unchanged(line: DiffLine) -> bool:
    """Return whether *line* has the same value before and after. Equal lists of objects may have lost a member."""
    is_list_of_objects = isinstance(line.after, list) and any(isinstance(item, dict) for item in line.after)
    return line.before is not UNKNOWN and bool(line.before == line.after) and not is_list_of_objects


def _list_lines(path: str, kind: str, values: list[Any], before: list[Any], depth: int) -> Iterator[DiffLine]:
    """Yield the items that were added to and removed from a list, and what changed in a condition.

    Numbers are compared by position, and a list in another order is one line. If the items are the same, yields all of
    them: an item may have lost a member that is not compared.
    """
    if are_numbers(before) and are_numbers(values):
        for index, (old, new) in enumerate(zip_longest(before, values)):
            if old != new:
                yield from _diff_lines(f"{path}[{index}]", kind, new, old, depth + 1)
        return
    old_keys, new_keys = list(map(value_key, before)), list(map(value_key, values))
    if old_keys != new_keys and Counter(old_keys) == Counter(new_keys):
        yield DiffLine(kind, path, mask_secrets(before, kind), mask_secrets(values, kind), _is_prominent(kind, values))
        return
    added = range(len(values)) if old_keys == new_keys else _find_unmatched(new_keys, old_keys)
    removed = _find_unmatched(old_keys, new_keys)
    former = match_conditions(values, added, before, removed)
    for index in added:
        value, item_path = values[index], f"{path}[{index}]"
        if index in former:
            yield from _condition_lines(item_path, kind, value, before[former[index]], depth)
        elif _is_item(value) or (before and is_condition(value)):
            yield DiffLine(kind, item_path, UNKNOWN, mask_secrets(value, kind), _is_prominent(kind, value), path)
        else:
            yield from _diff_lines(item_path, kind, value, UNKNOWN, depth + 1)
    for index in sorted({*removed} - {*former.values()}):
        value = before[index]
        yield DiffLine(kind, path, mask_secrets(value, kind), UNKNOWN, _is_prominent(kind, value), path)


def _find_unmatched(keys: list[bytes], others: list[bytes]) -> list[int]:
    """Return the indexes of the *keys* that *others* do not have, or have less often."""
    left = Counter(others)
    left.subtract(keys)
    unmatched = []
    for index in reversed(range(len(keys))):
        if left[keys[index]] < 0:
            left[keys[index]] += 1
            unmatched.append(index)
    return unmatched[::-1]


def _condition_lines(path: str, kind: str, value: Any, before: Any, depth: int) -> Iterator[DiffLine]:
    """Yield the lines for the members of a condition that differ from those of the same condition *before*."""
    for name in {**value, **before}:
        default = CONDITION_DEFAULTS.get(name)
        old, new = before.get(name, default), value.get(name, default)
        if old != new:
            yield from _diff_lines(f"{path}.{shorten_value(name)}", f"{kind}.{name}", new, old, depth + 1)


def are_numbers(items: list[Any]) -> bool:
    """Return whether *items* are one or more numbers, whose order matters."""
    return bool(items) and all(isinstance(item, int | float) and not isinstance(item, bool) for item in items)


def _is_item(value: Any) -> bool:
    """Return whether the item of a list is shown as a whole: anything but large objects, lists and JSON in a text."""
    if isinstance(value, dict):
        return _fits_on_line(value)
    return not isinstance(parse_embedded_json(value), dict | list)


def mask_secrets(value: Any, path: str, depth: int = 0) -> Any:
    """Return *value* with placeholders for the members, at any depth, whose names say that they are secrets."""
    if isinstance(value, dict) and depth < MAX_DEPTH:
        return {name: mask_secrets(member, name, depth + 1) for name, member in value.items()}
    if isinstance(value, list) and depth < MAX_DEPTH:
        return [mask_secrets(item, path, depth + 1) for item in value]
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    return HIDDEN if is_text and SECRET_NAME_PATTERN.search(path[-MAX_NAME_CHARACTERS:]) else value


def value_key(value: Any) -> bytes:
    """Return *value* as JSON that is the same for values that mean the same."""
    return orjson.dumps(without_defaults(value), option=orjson.OPT_SORT_KEYS)


def common_members(before: Any, value: Any) -> Any:
    """Return the members of the state *before* that *value* also has, at any depth."""
    if isinstance(before, dict) and isinstance(value, dict):
        return {name: common_members(before[name], member) for name, member in value.items() if name in before}
    if isinstance(before, list) and isinstance(value, list):
        names = {name: None for item in value if isinstance(item, dict) for name in item}
        return [
            common_members(item, names) if names and isinstance(item, dict) else without_volatile(item)
            for item in before
        ]
    return before


def without_volatile(value: Any, depth: int = 0) -> Any:
    """Return *value* without members that change on their own."""
    if isinstance(value, dict) and depth < MAX_STATE_DEPTH:
        members = ((name, member) for name, member in value.items() if name not in VOLATILE_FIELDS)
        return {name: without_volatile(member, depth + 1) for name, member in members}
    if isinstance(value, list) and depth < MAX_STATE_DEPTH:
        return [without_volatile(item, depth + 1) for item in value]
    return value


def parse_embedded_json(value: Any) -> Any:
    """Parse a text that is a JSON object or array; return anything else unchanged."""
    if isinstance(value, str) and len(value) <= MAX_SCANNED_CHARACTERS and value[:100].lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _fits_on_line(value: Any) -> bool:
    if isinstance(value, list) and len(value) > MAX_VALUE_CHARACTERS:
        return False
    return value is UNKNOWN or not is_shortened(orjson.dumps(value).decode())


def _is_prominent(kind: str, value: Any) -> bool:
    if PROMINENT_NAME_PATTERN.search(kind.rpartition(".")[2]) or ADDRESS.search(kind[:MAX_SCANNED_CHARACTERS]):
        return True
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    scanned = text[:MAX_SCANNED_CHARACTERS]
    return bool(
        ADDRESS.search(scanned)
        or ACCOUNT_ID_PATTERN.search(scanned)
        or PROMINENT_NAME_PATTERN.search(_member_names(value))
    )


def _member_names(value: Any) -> str:
    return " ".join(value) if isinstance(value, dict) else ""


def find_hidden_addresses(name: str, value: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the paths of texts and names in *value* that are too long to be shown in full, with their addresses."""
    yield from _find_hidden(shorten_value(name), value, 0)


def _find_hidden(path: str, value: Any, depth: int) -> Iterator[tuple[str, list[str]]]:
    value = parse_embedded_json(value)
    if isinstance(value, (dict, list)) and depth < MAX_DEPTH:
        members = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        for name, member in members:
            if name is not None and is_shortened(name) and (addresses := find_addresses(name[:MAX_SCANNED_CHARACTERS])):
                yield path, addresses
            yield from _find_hidden(path if name is None else f"{path}.{shorten_value(name)}", member, depth + 1)
        return
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if is_shortened(text) and (addresses := find_addresses(text[:MAX_SCANNED_CHARACTERS])):
        yield path, addresses


def limit_lines(lines: Iterable[DiffLine]) -> list[str]:
    """Return the lines to show, prominent ones first, and a line that counts the omitted ones."""
    shown, omitted = select_lines(lines)
    return [line.text for line in shown] + ([omitted] if omitted else [])


def select_lines(lines: Iterable[DiffLine]) -> tuple[list[DiffLine], str]:
    """Return the lines to show, prominent ones first, and a text that counts the omitted ones, or ""."""
    all_lines = list(lines)
    shown = [index for is_prominent in (True, False) for index in _pick_lines(all_lines, is_prominent)]
    omitted = Counter(all_lines[index].kind for index in {*range(len(all_lines))} - {*shown})
    selected = [all_lines[index] for index in shown]
    if not omitted:
        return selected, ""
    kinds = [f"{shorten_value(kind)} ({count})" for kind, count in omitted.most_common(MAX_KINDS)]
    return selected, f"and {omitted.total()} more: {', '.join(kinds)}{', …' if len(omitted) > MAX_KINDS else ''}"


def _pick_lines(lines: list[DiffLine], is_prominent: bool) -> list[int]:
    """Return the indexes of the lines to show: the first of each kind, then the second and so on, up to the limit."""
    ranks: Counter[str] = Counter()
    ranked: list[tuple[int, int]] = []
    for index, line in enumerate(lines):
        if line.is_prominent is is_prominent:
            ranked.append((ranks[line.kind], index))
            ranks[line.kind] += 1
    return sorted(index for _, index in sorted(ranked)[:MAX_LINES])
