"""Access changes: the users, addresses and permissions that a write adds, removes or changes, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from ...api.markers import ArgumentPath, find_values
from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool, ToolError
from .external_addresses import OUTSIDE, is_external
from .plain_text import to_plain_text
from .value_diff import value_lines
from .value_formatting import (
    IDENTITY_FIELDS,
    entry_details,
    entry_identity,
    entry_name,
    is_shortened,
    preview_entry,
    preview_value,
)

EMPTY_VALUE_TEXTS = {"public": "no access"}
"""Texts for empty values, by member name. Default: "none"."""

DOMAIN_FIELDS = frozenset(("allowedInviteDomains",))
"""Fields with domains whose addresses get access."""
REACHING_FIELDS = ("email", "recipients", "recipientsSlackChannels", "collaborators")
"""Fields of an object with the users and channels that it reaches."""
SHARING_FIELD = "permissions"
"""Field of an object that can be shared, with the users who have access."""
PUBLIC_FIELD, PUBLIC_ROLES = "public", ("viewer", "editor")
"""Field of an object that all users of the customer can open, and the roles that they can have."""
ENDING_VERBS = frozenset(("cancel", "resend"))
"""Verbs of writes that affect the recipients of their object, besides those that delete."""


class AccessLine(NamedTuple):
    """The *kind* of a change and its *text*, which may be shortened; *addresses* is the whole text, if it differs."""

    kind: str
    text: str
    addresses: str = ""


KIND_ORDER = ("added", "removed", "changed", "unchanged")
REACHING_KINDS = ("added", "changed")
MAX_ACCESS_BYTES = 64 << 10
"""Maximum size of the lines of one change. It fits the longest lists that the API accepts at usual lengths."""
DOMAINS_UNKNOWN = "The customer's domains could not be read, so addresses outside them are not marked."
MAX_REACHED_LINES = 100
TOO_MANY = (
    "Nothing was changed: the {:,} changes of recipients and access in this call are too many for the user to review."
    " Split it into smaller changes."
)


def list_recipient_lines(tool: Tool, current: JsonObject) -> list[str]:
    """Return the lines for the users, addresses and channels that the object of a deletion or an invitation reaches."""
    if not tool.deletes and tool.verb not in ENDING_VERBS:
        return []
    fields = (*REACHING_FIELDS, SHARING_FIELD) if tool.facts.get("shared_as") else REACHING_FIELDS
    entries = ((name, entry) for name in fields for entry in _flatten_entries([current.get(name)]))
    role = current.get(PUBLIC_FIELD)
    lines = [f"{PUBLIC_FIELD}: all users of the customer ({preview_value(role)})"] if role in PUBLIC_ROLES else []
    lines += [f"{name}: {preview_entry(entry)}" for name, entry in entries]
    omitted = len(lines) - MAX_REACHED_LINES
    return lines[:MAX_REACHED_LINES] + ([f"and {omitted:,} more"] if omitted > 0 else [])


def access_lines(
    tool: Tool, arguments: JsonObject, current: JsonObject | None, domains: tuple[str, ...] = ()
) -> list[str]:
    """Return a line for each user, address and permission that *arguments* add, remove or change.

    They are compared with the *current* state if it is known. Addresses outside the customer's *domains* come first,
    then what is added, what is removed, and other changes. Raises ToolError if there are too many to show, because
    the user would approve changes that they cannot see.
    """
    lines: list[AccessLine] = []
    for path in tool.external_target_paths:
        if new_values := find_values(arguments, path):
            old_values = find_values(current, path) if current is not None else []
            # An update removes the access of users who are not listed.
            found = _path_lines(path, new_values, old_values, replaces_all=tool.verb == "update")
            named = path[-1] in DOMAIN_FIELDS
            lines += (line._replace(addresses=f"@{line.addresses}") if named else line for line in found)
    outside = [line.kind in REACHING_KINDS and is_external(line.addresses or line.text, domains) for line in lines]
    marked = [
        (not is_outside, KIND_ORDER.index(line.kind), f"{line.text} ({OUTSIDE})" if is_outside else line.text)
        for line, is_outside in zip(lines, outside, strict=True)
    ]
    texts = [text for _, _, text in sorted(marked, key=lambda line: line[:2])]
    if sum(len(text.encode()) for text in texts) > MAX_ACCESS_BYTES:
        raise ToolError(TOO_MANY.format(len(texts)))
    if any(outside):
        texts.append(f"The customer's domains: {', '.join(domains)}")
    elif not domains and any("@" in (line.addresses or line.text) for line in lines if line.kind in REACHING_KINDS):
        texts.append(DOMAINS_UNKNOWN)
    return texts


def _path_lines(
    path: ArgumentPath, new_values: list[Any], old_values: list[Any], replaces_all: bool
) -> Iterator[AccessLine]:
    """Yield the lines for one path."""
    label = ".".join(path)
    if len(new_values) == 1 and isinstance(new_values[0], dict):
        old_value = old_values[0] if old_values and isinstance(old_values[0], dict) else {}
        for line in value_lines(label, new_values[0], old_value):
            whole = _full_text(line.after)
            text = f"{line.path}: {to_plain_text(whole)}" if is_shortened(whole) else line.text
            yield AccessLine("changed", text, whole)
    elif len(new_values) == 1 and not isinstance(new_values[0], list):
        yield from _scalar_lines(label, path[-1], new_values[0], old_values)
    elif old_values:
        yield from list(_comparison_lines(label, _flatten_entries(new_values), _flatten_entries(old_values))) or [
            AccessLine("unchanged", f"{label}: unchanged")
        ]
    else:
        for entry in _flatten_entries(new_values):
            yield AccessLine("added", f"{label}: {_entry_text(entry)}", _full_text(entry))
        if replaces_all:
            text = f"{label}: anyone not listed here is removed (the current list could not be read)"
            yield AccessLine("removed", text)


def _scalar_lines(label: str, name: str, new_value: Any, old_values: list[Any]) -> Iterator[AccessLine]:
    empty_text = EMPTY_VALUE_TEXTS.get(name, "none")
    new, *old = [empty_text if value in (None, "") else value for value in (new_value, *old_values[:1])]
    before = f"{preview_value(old[0])} → " if old and old[0] != new else ""
    yield AccessLine("changed", f"{label}: {before}{preview_value(new)}", _full_text(new))


def _entry_text(entry: Any) -> str:
    """Return a user, address or permission as unshortened text, because an omitted part could be important."""
    whole = _full_text(entry)
    return to_plain_text(whole) if is_shortened(whole) else preview_entry(entry)


def _full_text(entry: Any) -> str:
    """Return *entry* as one unshortened text, to find addresses in it."""
    return entry if isinstance(entry, str) else orjson.dumps(entry, default=str).decode()


def _flatten_entries(values: list[Any]) -> list[Any]:
    """Return the entries of *values* (lists, single values, or null for an empty list) as one list."""
    entries = [entry for value in values for entry in (value if isinstance(value, list) else [value])]
    return [entry for entry in entries if entry is not None]


def _comparison_lines(label: str, new_entries: list[Any], old_entries: list[Any]) -> Iterator[AccessLine]:
    old = {entry_identity(entry): entry for entry in old_entries}
    # A list, so that a user who is listed twice, perhaps with two roles, is shown twice.
    new = [(entry_identity(entry), entry) for entry in new_entries]
    for key, entry in new:
        if key not in old:
            yield AccessLine("added", f"{label}: add {_entry_text(entry)}", _full_text(entry))
    for key, entry in new:
        if key in old and isinstance(entry, dict) and isinstance(old[key], dict):
            changed = [
                name for name, value in entry.items() if old[key].get(name) != value and name not in IDENTITY_FIELDS
            ]
            if changed:
                old_details, new_details = (
                    entry_details({name: version.get(name) for name in changed}) for version in (old[key], entry)
                )
                change = f"{old_details or 'none'} → {new_details or 'none'}"
                text = f"{label}: change {preview_value(entry_name(entry))}: {change}"
                yield AccessLine("changed", text, _full_text(entry))
    new_keys = {key for key, _ in new}
    for key, entry in old.items():
        if key not in new_keys:
            yield AccessLine("removed", f"{label}: remove {preview_entry(entry)}")
