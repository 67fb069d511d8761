"""Adds the member "display" to results: amounts, percentages and days in the conventions of the user's locale.

Clients that know the locale send it with each request (ChatGPT: openai/locale in _meta). The value kinds in the result
types determine which members are displayed. The plain numbers and ISO dates of the result stay unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...api.value_kinds import (
    CurrencyCode,
    Day,
    DeclaredMember,
    Label,
    Money,
    Percent,
    UsDollars,
    read_declared_members,
)
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from .locale_format import LocaleFormat, to_finite_number
from .locales import find_locale, is_loaded
from .series import structured_content, with_structured
from .tool import ContentResult, Tool, ToolResult

LOCALE_META_KEY = "openai/locale"
DISPLAY_KEY = "display"
MAX_DISPLAY_VALUES = 80
"""Maximum number of values in a display. Results start with the most important ones."""
DISPLAYED_KINDS = frozenset({Money, UsDollars, Percent, Day})
LABEL_KINDS = frozenset({Label, CurrencyCode})

MemberMap = Mapping[str, DeclaredMember]


def with_localized_display(tool: Tool) -> Tool:
    """Add a display to the results of *tool* if its result type declares members to display."""
    members = select_displayed_members(read_declared_members(tool.result_type)) if tool.result_type else {}
    if not members:
        return tool

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        result = await tool.run(call, arguments)
        if isinstance(result, ContentResult):
            return result
        locale = await client_locale(call)
        if locale is None:
            return result
        return with_structured(result, localize_result(structured_content(result), members, locale))

    return replace(tool, run=run)


def select_displayed_members(members: MemberMap) -> dict[str, DeclaredMember]:
    """Return the *members* that a display consists of; an empty dict if none is displayed."""
    displayed: dict[str, DeclaredMember] = {}
    for name, member in members.items():
        if inner := select_displayed_members(member.members):
            displayed[name] = DeclaredMember(members=inner)
        elif member.kind in DISPLAYED_KINDS:
            displayed[name] = member
    labels = {name: member for name, member in members.items() if member.kind in LABEL_KINDS}
    return labels | displayed if displayed else {}


async def client_locale(call: Call) -> LocaleFormat | None:
    """Return the locale of the request; None if it does not state one that is known."""
    tag = call.request_meta.get(LOCALE_META_KEY)
    if not isinstance(tag, str):
        return None
    return find_locale(tag) if is_loaded(tag) else await run_in_thread(find_locale, tag)


def localize_result(result: JsonObject, members: MemberMap, locale: LocaleFormat) -> JsonObject:
    """Return *result* with a display of its *members*: the formatted values at the same paths as the plain ones."""
    display = _DisplayFormatter(locale).format_members(result, members, "")
    return {**result, DISPLAY_KEY: {"locale": locale.tag, **display}} if display else result


@dataclass(slots=True)
class _DisplayFormatter:
    """Formats values up to a maximum number."""

    locale: LocaleFormat
    remaining: int = MAX_DISPLAY_VALUES

    def format_object(self, value: JsonObject, members: MemberMap, currency: str) -> JsonObject:
        """Return the display of *value*, which starts with the labels that identify it to the user."""
        display = self.format_members(value, members, currency)
        labels = (name for name, member in members.items() if member.kind in LABEL_KINDS) if display else ()
        return {name: value[name] for name in labels if isinstance(value.get(name), str)} | display

    def format_members(self, value: JsonObject, members: MemberMap, currency: str) -> JsonObject:
        """Return the display of *value* without labels."""
        for name, member in members.items():
            if member.kind is CurrencyCode and isinstance(value.get(name), str):
                currency = value[name]
        display = {
            name: self._format_member(item, members[name], currency) for name, item in value.items() if name in members
        }
        return {name: item for name, item in display.items() if item}

    def _format_member(self, item: Any, member: DeclaredMember, currency: str) -> Any:
        """Return the display of one member; empty if it has none."""
        if isinstance(item, dict):
            return self.format_object(item, member.members, currency)
        if isinstance(item, list):
            rows = (self.format_object(row, member.members, currency) for row in item if isinstance(row, dict))
            return [row for row in rows if row]
        text = self._format_value(item, member, currency) if self.remaining else ""
        self.remaining -= bool(text)
        return text

    def _format_value(self, item: Any, member: DeclaredMember, currency: str) -> str:
        if member.kind is Day:
            return self.locale.format_date(item) if isinstance(item, str) else ""
        number = to_finite_number(item)
        if number is None or member.kind not in DISPLAYED_KINDS:
            return ""
        if member.kind is Percent:
            return self.locale.format_percent(number)
        return self.locale.format_money(number, "USD" if member.kind is UsDollars else currency)
