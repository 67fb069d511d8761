"""Previewing: what a user is shown before a write that asks: the tool, what it is about now, and what changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..doit.reach import without
from ..protocol.jsonrpc import JsonObject
from .access_changes import access_lines
from .shown_values import MAX_LINES, shown
from .tools import Tool

PLACES = frozenset(
    "id customerID customerId contractID templateID resourceType resourceId flowId flowID accountID connectionId"
    " sourceID insightKey ticketId".split()
)
"""Arguments that say what a write is about, not what it changes. All of a deletion's do."""

TELLING = (
    *("name", "displayName", "firstName", "lastName", "email", "title", "subject", "description", "type", "status"),
    *("role", "roleId", "owner", "amount", "currency", "platform", "public", "permissions", "records", "version"),
    *("roleArn", "s3Bucket", "enabledFeatures"),
)
"""Fields of a thing that tell people which one it is, and that do not change by themselves while they think."""

ACCEPT = "Accept to continue, or decline to leave everything unchanged."


def message(tool: Tool, arguments: JsonObject, current: JsonObject | None, customer: str = "") -> str:
    """What will happen, in plain text. *customer* is there where it is not the user's own.

    Every value is on one line behind its name, so that no text of the API can pass for a line of this message.
    """
    deletes = tool.name.startswith("delete_")
    before = current or {}
    lines = [f"{tool.title}?", *([f"Customer: {customer}"] if customer else [])]
    if deletes:
        lines.append("This cannot be undone.")
    if tool.outward:
        lines.append("This affects people or systems outside of your DoiT account.")
    about = {name: value for name, value in arguments.items() if deletes or name in PLACES}
    changes = {name: value for name, value in arguments.items() if name not in about}
    telling = (name for name in TELLING if name not in arguments)  # What changes is shown with its old value below.
    about |= {name: before[name] for name in telling if before.get(name) not in (None, "", [], {})}
    lines += _section("About", (f"{name}: {shown(value)}" for name, value in about.items()))
    access = access_lines(tool.reaches, changes, current, replaces=tool.name.startswith("update_"))
    lines += _section("People, addresses and access", access, limit=len(access))
    for path in tool.reaches:
        changes = without(changes, path)
    title = "Changes" if before.keys() & changes.keys() else "Details"
    lines += _section(title, (_change(name, before, value) for name, value in changes.items()))
    return "\n".join([*lines, ACCEPT])


def _section(title: str, lines: Iterable[str], limit: int = MAX_LINES) -> list[str]:
    found = list(lines)
    more = [f"- and {len(found) - limit} more"] if len(found) > limit else []
    return [f"{title}:", *(f"- {line}" for line in found[:limit]), *more] if found else []


def _change(name: str, before: JsonObject, value: Any) -> str:
    old = before.get(name)
    if isinstance(old, dict) and isinstance(value, dict):
        old = {member: old[member] for member in value if member in old}  # The others stay.
    if name in before and old != value:
        return f"{name}: {shown(old)} → {shown(value)}"
    return f"{name}: {shown(value)}"
