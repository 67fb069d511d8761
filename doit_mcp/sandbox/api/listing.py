"""Lists: page tokens, numbers in the query, filter expressions, creation time bounds."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from .costs.calendar_days import parse_seconds, rfc3339
from .responses import JsonObject, bad

Criteria = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows and the token of the next one (None on the last)."""

    rows: list[JsonObject]
    token: str | None


def whole(query: Mapping[str, str], name: str, minimum: int | None = None, maximum: int | None = None) -> int | None:
    """An integer of the query, None if absent or empty; 400 if it is none or out of bounds."""
    text = query.get(name, "")
    if not text:
        return None
    found = number(text, name, name)
    if (minimum is not None and found < minimum) or (maximum is not None and found > maximum):
        bounds = f"between {minimum} and {maximum}" if maximum is not None else f"at least {minimum}"
        raise bad(f"{name} must be {bounds}", field=name)
    return found


def number(text: str, what: str, field: str) -> int:
    """An integer; 400 that says *what* has to be one."""
    try:
        return int(text)
    except ValueError:
        raise bad(f"{what} must be an integer, not {text[:40]!r}", field=field) from None


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean of the query, false if absent; 400 if it is none."""
    return chosen(query, name, ("true", "false"), "false") == "true"


def chosen(query: Mapping[str, str], name: str, allowed: Sequence[str], default: str) -> str:
    """A word of the query out of *allowed*; 400 otherwise."""
    value = query.get(name) or default
    if value not in allowed:
        raise bad(f"{name} must be one of {', '.join(allowed)}", field=name)
    return value


def filters(expression: str, keys: Sequence[str]) -> Criteria:
    """``key:[value]|key:value`` as key -> values; 400 for an unknown key or a part without a colon."""
    criteria: Criteria = {}
    for part in expression.split("|") if expression.strip() else ():
        key, colon, value = part.partition(":")
        key, value = key.strip(), value.strip()
        if not colon or not value:
            raise bad(f"filter: {part[:60]!r} is not key:value", field="filter")
        if key not in keys:
            raise bad(f"filter: unknown key {key[:40]!r}, known are {', '.join(keys)}", field="filter")
        if value.startswith("[") and value.endswith("]"):
            value = value[1:-1].strip()
        criteria.setdefault(key, []).append(value)
    return criteria


def matching(
    rows: Sequence[JsonObject], criteria: Criteria, read: Callable[[JsonObject, str], str]
) -> list[JsonObject]:
    """Rows that fit: one of a key's values, and every key."""
    return [row for row in rows if all(read(row, key) in values for key, values in criteria.items())]


def created_between(
    query: Mapping[str, str], rows: Sequence[JsonObject], field: str = "createTime"
) -> list[JsonObject]:
    """Rows within minCreationTime and maxCreationTime (epoch milliseconds, both inclusive)."""
    low, high = whole(query, "minCreationTime"), whole(query, "maxCreationTime")
    return [row for row in rows if (low is None or row[field] >= low) and (high is None or row[field] <= high)]


def named_like(query: Mapping[str, str], rows: Sequence[JsonObject], field: str) -> list[JsonObject]:
    """Rows whose name holds nameContains, any case."""
    part = query.get("nameContains", "").lower()
    return [row for row in rows if part in str(row[field]).lower()]


def ordered(
    query: Mapping[str, str], rows: Sequence[JsonObject], fields: Sequence[str], read: Callable[[JsonObject, str], Any]
) -> list[JsonObject]:
    """Rows by sortBy (one of *fields*) and sortOrder; without sortBy as they are, latest first, or turned round."""
    field = chosen(query, "sortBy", fields, "") if query.get("sortBy") else ""
    order = chosen(query, "sortOrder", ("asc", "desc"), "asc" if field else "desc")
    if not field:
        return list(rows) if order == "desc" else list(reversed(rows))
    return sorted(rows, key=lambda row: read(row, field), reverse=order == "desc")


def instant(text: str, field: str) -> str:
    """An RFC 3339 time in UTC and whole seconds; 400 if it is none."""
    try:
        return rfc3339(parse_seconds(text))
    except ValueError:
        raise bad(f"{field} must be an RFC 3339 time", field=field) from None


def page(rows: Sequence[JsonObject], token: str, size: int | None, *, scope: str, key: str = "id") -> Page:
    """The page after *token*; *scope* is what a token is bound to (400 when it was made for another).

    A token carries the keys of the rows before and after the cut: rows that come or go meanwhile do not shift the
    next page, unless both of them go.
    """
    start = _start(rows, token, scope, key) if token else 0
    end = len(rows) if size is None else start + size
    part = list(rows[start:end])
    more = bool(part) and end < len(rows)
    return Page(part, _token(end, str(part[-1][key]), str(rows[end][key]), scope) if more else None)


def _start(rows: Sequence[JsonObject], token: str, scope: str, key: str) -> int:
    try:
        decoded = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        offset, last, following, bound = orjson.loads(decoded)
    except (ValueError, TypeError, binascii.Error):
        raise bad("pageToken is not valid", code="pagination_token_invalid", field="pageToken") from None
    if not (isinstance(offset, int) and offset >= 0 and isinstance(last, str) and isinstance(following, str)):
        raise bad("pageToken is not valid", code="pagination_token_invalid", field="pageToken")
    if bound != _bound(scope):
        raise bad("pageToken belongs to another request", code="pagination_token_invalid", field="pageToken")
    places = {str(row[key]): index for index, row in enumerate(rows)}
    return places[last] + 1 if last in places else places.get(following, offset)


def _token(offset: int, last: str, following: str, scope: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([offset, last, following, _bound(scope)])).decode().rstrip("=")


def _bound(scope: str) -> str:
    return hashlib.blake2b(scope.encode(), digest_size=6).hexdigest()
