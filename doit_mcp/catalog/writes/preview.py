"""Preview: the text of the question before a write, with the tool, the current state of the object, and the changes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from ...api.markers import find_addresses_at, find_values, remove_path
from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .access_changes import access_lines
from .amount_units import with_units
from .external_addresses import OUTSIDE, is_external
from .group_members import member_lines, with_member_fields
from .receipt_verification import READER_FIELD_NAMES
from .reversibility import cannot_be_undone, undo_notes
from .snapshot import Snapshot
from .value_diff import (
    HIDDEN,
    UNKNOWN,
    VOLATILE_FIELDS,
    common_members,
    find_hidden_addresses,
    limit_lines,
    value_lines,
    without_volatile,
)
from .value_formatting import MAX_LINES, preview_value, shorten_value

IDENTIFYING_FIELDS = (
    *("name", "displayName", "firstName", "lastName", "email", "title", "subject", "description", "type", "status"),
    *("role", "roleId", "owner", "amount", "currency", "platform", "public", "permissions", "records", "version"),
    *("roleArn", "s3Bucket", "enabledFeatures", "accountName", "accountId"),
)
"""Fields that identify the object to users and do not change on their own while users decide."""

MAX_ADDRESS_CHARACTERS = 400
"""Maximum number of characters of an address that are shown. Email addresses are shorter."""
OWNER = "owner"
UNKNOWN_OBJECT = "no name could be read for this id"
ACCEPT_INSTRUCTION = "Accept to continue, or decline to leave everything unchanged."


def preview_message(tool: Tool, arguments: JsonObject, snapshot: Snapshot) -> str:
    """Return a description of the write in plain text.

    Every value is on one line after its name, so that text from the API cannot imitate a line of this message.
    """
    current, note, context, customer, _, problem = snapshot
    arguments = {name: HIDDEN if name in tool.secret_arguments else value for name, value in arguments.items()}
    # All arguments of a deletion identify its object.
    deletes = tool.deletes
    before = tool.with_argument_names(current or {})
    affected = [*context.dependents, *member_lines(tool, arguments, before)]
    arguments, before = with_units(tool, with_effective_values(tool, arguments, before), before)
    arguments, before = with_member_fields(tool, arguments, before)
    lines = [f"{tool.title}?", *([f"Customer: {customer}"] if customer else [])]
    is_known = current is not None
    if cannot_be_undone(tool, is_known=is_known, problem=problem):
        lines.append("This cannot be undone.")
    if tool.open_world:
        lines.append("This affects recipients or systems outside your DoiT account.")
    undone = undo_notes(tool, is_known=is_known, problem=problem, is_employee=customer != "")
    lines += [text for text in (*undone, tool.facts.get("effect", ""), note) if text]
    targets = {name: value for name, value in arguments.items() if deletes or name in tool.targets}
    changes = {name: value for name, value in arguments.items() if name not in targets}
    target_lines = [line for name, value in targets.items() for line in value_lines(name, value)]
    identity = [f"{name}: {preview_value(value)}" for name, value in identifying_values(arguments, before).items()]
    lines += _format_section("About", limit_lines(target_lines) + identity + related_lines(context.related))
    if deletes:
        lost = (line for name, value in deleted_values(arguments, before).items() for line in value_lines(name, value))
        lines += _format_section("Deleted with it", limit_lines(lost))
    lines += _format_section("Affected", affected)
    access = access_lines(tool, changes, current, context.domains)
    lines += _format_section("Recipients and access", access + mention_lines(tool, arguments, context.domains))
    for path in tool.external_target_paths:
        changes = remove_path(changes, path)
    title = "Changes" if before.keys() & changes.keys() else "Details"
    previous = previous_values(changes, before)
    change_lines = (
        line for name, value in changes.items() for line in value_lines(name, value, previous.get(name, UNKNOWN))
    )
    lines += _format_section(title, limit_lines(change_lines))
    return "\n".join([*lines, ACCEPT_INSTRUCTION])


def _format_section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *(f"- {line}" for line in lines)] if lines else []


def identifying_values(arguments: JsonObject, before: JsonObject) -> JsonObject:
    """Return the values that identify the object to users, without those that change."""
    names = (name for name in IDENTIFYING_FIELDS if name not in arguments)
    return {name: before[name] for name in names if before.get(name) not in (None, "", [], {})}


def deleted_values(arguments: JsonObject, before: JsonObject) -> JsonObject:
    """Return what a deletion removes besides the values that identify the object, without volatile members."""
    shown = identifying_values({}, before).keys() | arguments.keys() | {"id"}
    lost = {name: without_volatile(value) for name, value in before.items() if name not in VOLATILE_FIELDS | shown}
    return {name: value for name, value in lost.items() if value not in (None, "", [], {})}


def related_lines(related: Mapping[str, JsonObject]) -> list[str]:
    """Return the lines that say what the ids in arguments stand for, such as "user.email: ann@acme.example"."""
    lines = []
    for argument, found in related.items():
        label = argument.removesuffix("Id")
        values = identifying_values({}, found)
        lines += limit_lines(line for name, value in values.items() for line in value_lines(f"{label}.{name}", value))
        lines += [] if values else [f"{label}: {UNKNOWN_OBJECT}"]
    return lines


def mention_lines(tool: Tool, arguments: JsonObject, domains: tuple[str, ...] = ()) -> list[str]:
    """Return the addresses in texts that can reach outside, and in texts that are too long to be shown in full.

    Those outside the customer's *domains* come first, and are counted if there are too many to show.
    """
    mentions = dict(find_addresses_at(arguments, tool.linked_text_paths))
    for name, value in arguments.items():
        for path, addresses in find_hidden_addresses(name, value):
            mentions.setdefault(path, []).extend(address for address in addresses if address not in mentions[path])
    lines = []
    for path, addresses in list(mentions.items())[:MAX_LINES]:
        ordered = sorted(addresses, key=lambda address: not is_external(address, domains))
        listed = ", ".join(shorten_value(address, MAX_ADDRESS_CHARACTERS) for address in ordered[:MAX_LINES])
        lines.append(f"{path} mentions: {listed}{_count_omitted(ordered[MAX_LINES:], domains)}")
    if len(mentions) > MAX_LINES:
        lines.append(f"and addresses in {len(mentions) - MAX_LINES} more texts")
    return lines


def _count_omitted(addresses: list[str], domains: tuple[str, ...]) -> str:
    outside = sum(is_external(address, domains) for address in addresses)
    counted = f" ({outside:,} of them {OUTSIDE})" if outside else ""
    return f", and {len(addresses):,} more{counted}" if addresses else ""


def previous_values(arguments: JsonObject, before: JsonObject) -> JsonObject:
    """Return the parts of *before* that the arguments change. Other members stay unchanged, or change on their own."""
    names = {name: READER_FIELD_NAMES.get(name, name) for name in arguments}
    return {
        name: common_members(before[names[name]], value) for name, value in arguments.items() if names[name] in before
    }


def with_removed_values(tool: Tool, arguments: JsonObject, current: JsonObject | None) -> JsonObject:
    """Return *arguments* with null, or the declared default, for each *current* value that the write removes."""
    if current is None or not tool.facts.get("replaces"):
        return arguments
    before, defaults = tool.with_argument_names(current), tool.facts.get("defaults", {})
    omitted = (name for name in tool.accepted_schema["properties"] if name not in (*arguments, *tool.targets))
    removed = {name: defaults.get(name) for name in omitted if before.get(name) not in (None, "", [], {})}
    return {**arguments, **{name: value for name, value in removed.items() if value != before[name]}}


def with_effective_values(tool: Tool, arguments: JsonObject, before: JsonObject) -> JsonObject:
    """Return *arguments* with the values that the API sets instead, and null for those that it clears with others."""
    facts = tool.facts
    shown = {
        name: _predict_emptied_list(
            facts["empty_means"][name], before.get(name), arguments.get("collaborators", before.get("collaborators"))
        )
        if value == [] and name in facts.get("empty_means", {})
        else value
        for name, value in arguments.items()
    }
    for name, (computed, text) in facts.get("computed_if", {}).items():
        if arguments.get(name, before.get(name)) is True and (
            arguments.get(name) != before.get(name) or computed in arguments
        ):
            shown[computed] = text
    for name, also_cleared in facts.get("merges", {}).items():
        value, old = arguments.get(name), before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            cleared = {
                also: None
                for one, also in also_cleared.items()
                if one in value and value[one] != old.get(one) and also not in value and old.get(also) is not None
            }
            shown[name] = {**value, **cleared}
    return shown


def _predict_emptied_list(text: list[str], old: Any, collaborators: Any) -> list[Any]:
    """Return what the API puts in an emptied list: the *old* items if they are only the owner, who stays in it."""
    members = collaborators if isinstance(collaborators, list) else []
    owners = [one.get("email") for one in members if isinstance(one, dict) and one.get("role") == OWNER]
    return owners if len(owners) == 1 and old == owners else text


def preview_digest(tool: Tool, arguments: JsonObject, snapshot: Snapshot) -> str:
    """Return a digest of the untruncated input of preview_message(), which covers values that the message only counts.

    It covers only the fields of the current state that the message compares or shows, because others change on their
    own; for a deletion, these are all but the volatile ones. It does not cover the new values,
    because the arguments do not change while the user is asked.
    """
    current, note, context, customer = snapshot[:4]
    before = tool.with_argument_names(current or {})
    previous = previous_values(arguments, before)
    access = [find_values(before, path) for path in tool.external_target_paths]
    lost = deleted_values(arguments, before) if tool.deletes else {}
    # An object that was found by name is a different one if its id differs.
    inputs = [
        tool.name,
        before.get("id"),
        customer,
        note,
        identifying_values(arguments, before),
        previous,
        access,
        lost,
    ]
    inputs.append({argument: identifying_values({}, found) for argument, found in context.related.items()})
    inputs.append(context.dependents)
    inputs.append(sorted(context.members or ()))
    return sha256(orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)).hexdigest()
