"""Preview: the text of the question before a write, with the tool, the current state of the object, and the changes."""

from __future__ import annotations

from hashlib import sha256

import orjson

from ...api.markers import addresses_at, remove_path, values_at
from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .access_changes import access_lines
from .value_diff import UNKNOWN, common_part, hidden_addresses, limit_lines, value_lines
from .value_formatting import MAX_LINES, preview_value, shorten

IDENTIFYING_FIELDS = (
    *("name", "displayName", "firstName", "lastName", "email", "title", "subject", "description", "type", "status"),
    *("role", "roleId", "owner", "amount", "currency", "platform", "public", "permissions", "records", "version"),
    *("roleArn", "s3Bucket", "enabledFeatures"),
)
"""Fields that identify the object to users and that do not change on their own while they decide."""

MAX_ADDRESS_CHARACTERS = 400
"""Characters of an address: the longest email addresses have fewer."""
ACCEPT_INSTRUCTION = "Accept to continue, or decline to leave everything unchanged."


def preview_message(
    tool: Tool, arguments: JsonObject, current: JsonObject | None, customer: str = "", note: str = ""
) -> str:
    """Return what will happen, in plain text.

    *customer* is given if it is not the user's own, *note* if *current* is unknown. Every value is on one line after
    its name, so that text from the API cannot pass for a line of this message.
    """
    # A deletion changes nothing else: all of its arguments say what goes.
    deletes = tool.deletes
    before = current or {}
    lines = [f"{tool.title}?", *([f"Customer: {customer}"] if customer else [])]
    if deletes:
        lines.append("This cannot be undone.")
    if tool.open_world:
        lines.append("This affects recipients or systems outside of your DoiT account.")
    lines += [note] if note else []
    about = {name: value for name, value in arguments.items() if deletes or name in tool.targets}
    changes = {name: value for name, value in arguments.items() if name not in about}
    targets = [line for name, value in about.items() for line in value_lines(name, value)]
    known = [f"{name}: {preview_value(value)}" for name, value in _identifying_values(arguments, before).items()]
    lines += _section("About", limit_lines(targets) + known)
    access = access_lines(tool.external_target_paths, changes, current, replaces_all=tool.verb == "update")
    lines += _section("Recipients and access", access + _mention_lines(tool, arguments))
    for path in tool.external_target_paths:
        changes = remove_path(changes, path)
    title = "Changes" if before.keys() & changes.keys() else "Details"
    compared = _previous_values(changes, before)
    found = (value_lines(name, value, compared.get(name, UNKNOWN)) for name, value in changes.items())
    lines += _section(title, limit_lines(line for lines in found for line in lines))
    return "\n".join([*lines, ACCEPT_INSTRUCTION])


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *(f"- {line}" for line in lines)] if lines else []


def _identifying_values(arguments: JsonObject, before: JsonObject) -> JsonObject:
    """Return what identifies the object to users, without what changes: that is shown with its old value."""
    names = (name for name in IDENTIFYING_FIELDS if name not in arguments)
    return {name: before[name] for name in names if before.get(name) not in (None, "", [], {})}


def _mention_lines(tool: Tool, arguments: JsonObject) -> list[str]:
    """Return the addresses in texts that can reach outside, and in texts that are too long to be shown in full."""
    found = dict(addresses_at(arguments, tool.linked_text_paths))
    for name, value in arguments.items():
        for path, words in hidden_addresses(name, value):
            found.setdefault(path, []).extend(word for word in words if word not in found[path])
    lines = []
    for path, words in list(found.items())[:MAX_LINES]:
        rest = f", and {len(words) - MAX_LINES} more" if len(words) > MAX_LINES else ""
        lines.append(
            f"{path} mentions: {', '.join(shorten(word, MAX_ADDRESS_CHARACTERS) for word in words[:MAX_LINES])}{rest}"
        )
    more = [f"and addresses in {len(found) - MAX_LINES} more texts"] if len(found) > MAX_LINES else []
    return lines + more


def _previous_values(arguments: JsonObject, before: JsonObject) -> JsonObject:
    """Return the parts of *before* that change. Other members stay, or change on their own."""
    return {name: common_part(before[name], value) for name, value in arguments.items() if name in before}


def preview_digest(
    tool: Tool, arguments: JsonObject, current: JsonObject | None, customer: str = "", note: str = ""
) -> str:
    """Return a digest of the untruncated input of preview_message(), so that values it only counts cannot change.

    Of the current state it covers only the fields that the message compares or shows: others change on their own. The
    arguments stay the same while the user is asked.
    """
    before = current or {}
    compared = _previous_values(arguments, before)
    access = [values_at(before, path) for path in tool.external_target_paths]
    made = [tool.name, customer, note, _identifying_values(arguments, before), compared, access]
    return sha256(orjson.dumps(made, option=orjson.OPT_SORT_KEYS)).hexdigest()
