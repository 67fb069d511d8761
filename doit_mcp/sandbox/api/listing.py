"""List operations: page tokens, integers in the query, filter expressions, creation time bounds."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from .costs.calendar_days import format_rfc3339, parse_seconds
from .responses import JsonObject, bad_request

Criteria = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list: its rows and the token of the next page (None for the last)."""

    rows: list[JsonObject]
    token: str | None


def query_integer(
    query: Mapping[str, str], name: str, minimum: int | None = None, maximum: int | None = None
) -> int | None:
    """An integer of the query, None if absent or empty; 400 if it is invalid or out of bounds."""
    text = query.get(name, "")
    if not text:
        return None
    value = parse_integer(text, name, name)
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        bounds = f"between {minimum} and {maximum}" if maximum is not None else f"at least {minimum}"
        raise bad_request(f"{name} must be {bounds}", field=name)
    return value


def parse_integer(text: str, description: str, field: str) -> int:
    """An integer; 400 if *text* is not one. The message calls it *description*."""
    try:
        return int(text)
    except ValueError:
        raise bad_request(f"{description} must be an integer, not {text[:40]!r}", field=field) from None


def query_time(query: Mapping[str, str], name: str) -> float:
    """A required time of the query in epoch seconds; 400 if it is absent or invalid."""
    if not query.get(name):
        raise bad_request(f"{name} is required", field=name)
    return parse_seconds(parse_time(query[name], name))


def query_flag(query: Mapping[str, str], name: str, default: bool = False) -> bool:
    """A boolean of the query, *default* if absent; 400 if it is invalid."""
    return query_choice(query, name, ("true", "false"), "true" if default else "false") == "true"


def query_choice(query: Mapping[str, str], name: str, allowed: Sequence[str], default: str) -> str:
    """A value of the query, *default* if absent; 400 unless it is one of *allowed*."""
    value = query.get(name) or default
    if value not in allowed:
        raise bad_request(f"{name} must be one of {', '.join(allowed)}", field=name)
    return value


def optional_choice(query: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """A value of the query, "" if absent; 400 unless it is one of *allowed*."""
    return query_choice(query, name, allowed, "") if query.get(name) else ""


def parse_filter(expression: str, keys: Sequence[str], *, repeatable: bool = True) -> Criteria:
    """Parse ``key:value|key:value`` into key -> values; 400 for an unknown key or a part without a colon.

    Some lists refuse a repeated key (*repeatable*); for others, it means any of its values.

    In the notation ``key:[value]`` of the API document, the brackets are a placeholder: the service takes them as part
    of the value, which then matches nothing.
    """
    criteria: Criteria = {}
    for part in expression.split("|") if expression.strip() else ():
        key, colon, value = part.partition(":")
        key, value = key.strip(), value.strip()
        if not colon or not value:
            raise bad_request(f"filter: {part[:60]!r} is not key:value", field="filter")
        if key not in keys:
            raise bad_request(f"filter: unknown key {key[:40]!r}, known are {', '.join(keys)}", field="filter")
        if key in criteria and not repeatable:
            raise bad_request(f"filter: the key {key!r} is repeated", field="filter")
        criteria.setdefault(key, []).append(value)
    return criteria


def filter_rows(
    rows: Sequence[JsonObject], criteria: Criteria, read_field: Callable[[JsonObject, str], str]
) -> list[JsonObject]:
    """The rows in which the field of each key has one of its values."""
    return [row for row in rows if all(read_field(row, key) in values for key, values in criteria.items())]


def filter_by_creation(
    query: Mapping[str, str], rows: Sequence[JsonObject], field: str = "createTime"
) -> list[JsonObject]:
    """The rows between minCreationTime and maxCreationTime (epoch milliseconds, inclusive)."""
    low, high = query_integer(query, "minCreationTime"), query_integer(query, "maxCreationTime")
    return [row for row in rows if (low is None or row[field] >= low) and (high is None or row[field] <= high)]


def filter_by_name(query: Mapping[str, str], rows: Sequence[JsonObject], field: str) -> list[JsonObject]:
    """The rows whose name contains nameContains (case-insensitive)."""
    part = query.get("nameContains", "").lower()
    return [row for row in rows if part in str(row[field]).lower()]


def sort_rows(
    query: Mapping[str, str],
    rows: Sequence[JsonObject],
    fields: Sequence[str],
    read_field: Callable[[JsonObject, str], Any],
) -> list[JsonObject]:
    """The rows ordered by sortBy (one of *fields*) and sortOrder; without sortBy in their own order, or reversed."""
    field = optional_choice(query, "sortBy", fields)
    order = query_choice(query, "sortOrder", ("asc", "desc"), "asc" if field else "desc")
    if not field:
        return list(rows) if order == "desc" else list(reversed(rows))
    return sorted(rows, key=lambda row: read_field(row, field), reverse=order == "desc")


def parse_time(text: str, field: str) -> str:
    """An RFC 3339 time in UTC with whole seconds; 400 if it is invalid."""
    try:
        return format_rfc3339(parse_seconds(text))
    except ValueError:
        raise bad_request(f"{field} must be an RFC 3339 time", field=field) from None


def paginate(
    rows: Sequence[JsonObject],
    token: str,
    size: int | None,
    *,
    scope: str,
    key: str = "id",
    validity: tuple[float, float] | None = None,
) -> Page:
    """The page after *token*; *scope* identifies the list that a token belongs to (400 for a token of another list).

    A token holds the keys of the rows before and after the cut: rows added or deleted meanwhile do not shift the next
    page, unless both of these rows are deleted. *validity* is the time now, and when the token of the next page expires;
    tokens do not expire without it.
    """
    now, expires = validity or (0.0, 0.0)
    start = _page_start(rows, token, scope, key, now) if token else 0
    end = len(rows) if size is None else start + size
    page_rows = list(rows[start:end])
    has_next = bool(page_rows) and end < len(rows)
    if not has_next:
        return Page(page_rows, None)
    return Page(page_rows, _page_token(end, str(page_rows[-1][key]), str(rows[end][key]), scope, expires))


def _page_start(rows: Sequence[JsonObject], token: str, scope: str, key: str, now: float) -> int:
    try:
        decoded = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        offset, last, following, token_scope, expires = orjson.loads(decoded)
    except (ValueError, TypeError, binascii.Error):
        raise bad_request("pageToken is not valid", code="pagination_token_invalid", field="pageToken") from None
    is_valid = isinstance(offset, int) and offset >= 0 and isinstance(last, str) and isinstance(following, str)
    if not is_valid or not isinstance(expires, int | float):
        raise bad_request("pageToken is not valid", code="pagination_token_invalid", field="pageToken")
    if token_scope != _scope_hash(scope):
        raise bad_request("pageToken belongs to another request", code="pagination_token_invalid", field="pageToken")
    if expires and now > expires:
        message = "pageToken has expired: start again from the first page"
        raise bad_request(message, code="pagination_token_expired", field="pageToken")
    positions = {str(row[key]): index for index, row in enumerate(rows)}
    return positions[last] + 1 if last in positions else positions.get(following, offset)


def _page_token(offset: int, last: str, following: str, scope: str, expires: float) -> str:
    content = orjson.dumps([offset, last, following, _scope_hash(scope), expires])
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _scope_hash(scope: str) -> str:
    return hashlib.blake2b(scope.encode(), digest_size=6).hexdigest()
