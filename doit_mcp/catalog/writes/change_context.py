"""What a change shows besides its object: the objects that refer to it, the names of ids, and the domains."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from ...api.facts import Dependents, Reader
from ...api.markers import find_values
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.declarations import reader_name
from ..tools.tool import Tool, ToolError
from .access_changes import DOMAIN_FIELDS
from .external_addresses import customer_domains, is_external
from .object_reads import read_name, read_object, read_rows, row_name
from .receipt_verification import as_list, member_key
from .state_reader import find_declared_reader, find_named_tool
from .value_formatting import preview_value
from .write_refusals import check_listed, check_name, check_unused

MAX_SHOWN = 50
"""Maximum number of dependents of one kind that are named. The others are counted."""
MAX_NAMED_OBJECTS = 20
"""Maximum number of objects of one write that are read one by one for their names."""
MAX_SELECTING_IDS = 50
"""Maximum number of ids with which the dependents of nested objects are selected."""
MAX_DETAILS, MAX_DETAILS_AT_ONCE = 50, 10
"""Maximum number of rows of a list that are read one by one to find dependents, and how many concurrently."""
MAX_DEPTH = 12
"""Maximum depth at which a member is searched for an id."""
UNREADABLE = "{}: could not be read"
UNCHECKED = "{}: {:,} objects could not be checked"
UNKNOWN, NOT_FOUND = "unknown", "not found"

ReadObjects = Callable[[Call, JsonObject], Awaitable[dict[str, JsonObject]]]
NameReaders = Reader | Mapping[str, Reader]


class ChangeContext(NamedTuple):
    """What was read besides the object of a write.

    *related* are objects that arguments name, by the argument. *dependents* are lines such as "user with it:
    ann@acme.example". *names* are those of ids in arguments, and *domains* the customer's own: empty if unknown, or if
    no address needs them. *members* are the keys of the items in arguments that are already in the list that the write
    changes; None if it cannot be read.
    """

    related: Mapping[str, JsonObject] = MappingProxyType({})
    dependents: tuple[str, ...] = ()
    names: Mapping[str, str] = MappingProxyType({})
    domains: tuple[str, ...] = ()
    members: frozenset[str] | None = None

    def with_names(self, tool: Tool, values: JsonObject) -> JsonObject:
        """Return *values* with the names of the objects whose ids they have."""
        arguments = self.names and tool.facts.get("names_with", {})
        return {name: self._with_names(value) if name in arguments else value for name, value in values.items()}

    def _with_names(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._with_names(item) for item in value]
        if isinstance(value, dict) and value.get("objectId") in self.names:
            return {**value, "name": self.names[value["objectId"]]}
        if isinstance(value, dict) and value.keys() == {"id", "name"} and value["id"] in self.names:
            return self._with_names(value["id"])
        return f"{self.names[value]} (id {value})" if isinstance(value, str) and value in self.names else value


NO_CONTEXT = ChangeContext()


@dataclass(frozen=True, slots=True)
class ChangeContextReader:
    """Reads the context of calls of *tool*, as its declaration says."""

    tool: Tool
    tools_by_name: Mapping[str, Tool]
    read_related: ReadObjects | None = None

    def __post_init__(self) -> None:
        # Raise TypeError for names of other tools than those that read when the tools are made.
        facts = self.tool.facts
        for dependents in facts.get("dependents", ()):
            self._find_reader(dependents.reader)
            list(self._list_readers(dependents.details_with))
            list(self._list_readers(dependents.names_with))
        for readers in facts.get("names_with", {}).values():
            list(self._list_readers(readers))
        self._unique_reader()

    def _find_reader(self, named: Reader) -> Tool:
        found = find_named_tool(self.tool, "dependents or names_with", named, self.tools_by_name)
        assert found is not None  # A name is never empty.
        return found

    def _unique_reader(self) -> Tool | None:
        return find_named_tool(self.tool, "unique_in", self.tool.facts.get("unique_in"), self.tools_by_name)

    def _list_readers(self, readers: NameReaders | None) -> Iterable[Tool]:
        if readers is not None:
            yield from map(self._find_reader, readers.values() if isinstance(readers, Mapping) else (readers,))

    async def read(self, call: Call, arguments: JsonObject, current: JsonObject | None) -> ChangeContext:
        """Return the context. Raises ApiError for a bad credential, and ToolError if other objects forbid the write."""
        await check_name(call, self.tool, self._unique_reader(), arguments, current or {})
        domains = await customer_domains(call) if self._has_addresses(arguments) else ()
        targets = self.tool.targets
        identifier = arguments.get(targets[-1]) if targets else None
        dependents: list[str] = []
        blocking: list[str] = []
        ids = [str(identifier)]
        for kind in self.tool.facts.get("dependents", ()):
            selected = [str(id) for id in as_list(arguments.get(kind.ids_in))] if kind.ids_in else ids
            rows, refusing, unchecked = await self._read_dependents(call, kind, selected, current or {})
            if kind.is_nested and rows is not None:
                ids += [str(row[kind.row_id]) for row in rows]
            dependents += await self._dependent_lines(call, kind, rows, domains)
            blocking += await self._dependent_lines(call, kind, refusing, domains) if kind.refuses else []
            dependents += [UNCHECKED.format(kind.kind, unchecked)] if unchecked else []
            if kind.must_exist and rows == []:
                raise ToolError(f"Nothing was changed: {kind.ids_in}: {preview_value(selected[0])} was not found.")
            if kind.ids_in and rows is not None:
                dependents += _missing_lines(kind, selected, rows)
        check_unused(blocking)
        related = {} if self.read_related is None else await self.read_related(call, arguments)
        # A deletion shows all fields of its object, and all writes those of related objects.
        shown = [arguments, *((current or {},) if self.tool.deletes else ()), *related.values()]
        names: dict[str, str] = {}
        for argument, readers in self.tool.facts.get("names_with", {}).items():
            if any(values.get(argument) is not None for values in shown):
                values = [arguments.get(argument), (current or {}).get(argument)]
                found = await self._read_names(call, readers, values)
                if not isinstance(readers, Mapping):
                    check_listed(self.tool, argument, arguments.get(argument), found, reader_name(readers))
                names |= {id: name for id, name in found.items() if name}
        members = await self._read_members(call, arguments)
        context = ChangeContext(related, tuple(dependents), names, domains, members)
        return context._replace(
            related={argument: context.with_names(self.tool, one) for argument, one in related.items()}
        )

    async def _read_members(self, call: Call, arguments: JsonObject) -> frozenset[str] | None:
        """Return the keys of the items in *arguments* that the list has before the write; None if unknown."""
        facts = self.tool.facts
        names = facts.get("adds", ""), facts.get("removes", "")
        reader = find_declared_reader(self.tool, "verify_with", self.tools_by_name) if any(names) else None
        if reader is None:
            return None
        selecting = {name: value for name, value in arguments.items() if name in reader.input_schema["properties"]}
        rows = None if reader.argument_problems(selecting) else await read_rows(call, reader, selecting)
        if rows is None:
            return None
        if not reader.rows_key:
            rows = rows[0].get(names[0] or names[1]) or []
        given = {member_key(item, names) for name in names for item in as_list(arguments.get(name))}
        return frozenset(given & {member_key(row, names) for row in rows})

    def _has_addresses(self, arguments: JsonObject) -> bool:
        if any(dependents.kind.startswith("user") for dependents in self.tool.facts.get("dependents", ())):
            return True
        return any(
            b"@" in orjson.dumps(found) or (path[-1] in DOMAIN_FIELDS and any(found))
            for path in self.tool.external_target_paths
            if (found := find_values(arguments, path))
        )

    async def _read_dependents(
        self, call: Call, kind: Dependents, ids: list[str], current: JsonObject
    ) -> tuple[list[JsonObject] | None, list[JsonObject], int]:
        """Return the rows that refer to the objects with these *ids* or to each other (None if unreadable), those of
        them that do so by an id, and the number of rows that could not be checked."""
        if len(ids) > MAX_SELECTING_IDS and kind.arguments:
            return None, [], 0
        templates = [*kind.arguments.values(), *(kind.details_arguments.values() if kind.details_with else ())]
        if any(name not in {*current, "id", "row"} for text in templates for name in _member_names(text)):
            # The state of the object could not be read.
            return None, [], 0
        selecting = {
            name: "|".join(template.format_map({**current, "id": id}) for id in ids)
            for name, template in kind.arguments.items()
        }
        rows = await read_rows(call, self._find_reader(kind.reader), selecting)
        if rows is None or not (kind.member or kind.details_with):
            return rows, rows or [], 0
        wanted = set(ids)
        own_name = row_name(current) if kind.named_in else ""
        if kind.details_with is not None:
            rows = [row for row in rows if row.get(kind.row_id) not in wanted]
            details = await self._read_details(call, kind, rows[:MAX_DETAILS], current)
            shown = [(row, details.get(str(row.get(kind.row_id)))) for row in rows]
            referring = [row for row, one in shown if _refers_to(one, wanted)]
            found = [row for row, one in shown if row in referring or _has_condition(one, own_name, kind.named_in)]
            return found, referring, len(rows) - len(details)
        found = [row for row in rows if _has_condition(row.get(kind.member), own_name, kind.named_in)]
        referring = [row for row in rows if _refers_to(row.get(kind.member), wanted)]
        while True:
            more = [row for row in rows if _refers_to(row.get(kind.member), wanted) and row not in found]
            found += more
            if not kind.is_nested or not more:
                return found, referring, 0
            wanted |= {row[kind.row_id] for row in more}

    async def _read_details(
        self, call: Call, kind: Dependents, rows: list[JsonObject], current: JsonObject
    ) -> dict[str, JsonObject]:
        """Return what *details_with* shows of the *rows*, by their ids, without those that cannot be read."""
        (reader,) = self._list_readers(kind.details_with)
        ids = [str(row[kind.row_id]) for row in rows if row.get(kind.row_id)]
        found: dict[str, JsonObject] = {}
        for start in range(0, len(ids), MAX_DETAILS_AT_ONCE):
            some = ids[start : start + MAX_DETAILS_AT_ONCE]
            named = [
                {name: template.format_map({**current, "row": id}) for name, template in kind.details_arguments.items()}
                for id in some
            ]
            shown = await asyncio.gather(*(read_object(call, reader, arguments) for arguments in named))
            found |= {id: one for id, one in zip(some, shown, strict=True) if one is not None}
        return found

    async def _dependent_lines(
        self, call: Call, kind: Dependents, rows: list[JsonObject] | None, domains: tuple[str, ...]
    ) -> list[str]:
        if rows is None:
            return [UNREADABLE.format(kind.kind)]
        names = {} if kind.names_with is None or not rows else await self._read_names(call, kind.names_with, rows)
        texts = [_row_text(row, kind, names) for row in rows]
        texts.sort(key=lambda text: not is_external(text, domains))
        lines = [f"{kind.kind}: {text}" for text in texts[:MAX_SHOWN]]
        omitted = texts[MAX_SHOWN:]
        outside = sum(is_external(text, domains) for text in omitted)
        more = f", {outside:,} of them outside the customer's domains" if outside else ""
        return lines + ([f"{kind.kind}: and {len(omitted):,} more{more}"] if omitted else [])

    async def _read_names(self, call: Call, readers: NameReaders, values: list[Any]) -> dict[str, str]:
        """Return the readable names of the ids in *values*, or of all rows of a list ("" without a name), by id."""
        if not isinstance(readers, Mapping):
            rows = await read_rows(call, self._find_reader(readers), {})
            return {str(row["id"]): row_name(row) for row in rows or () if "id" in row}
        references = [item for value in values for item in (value if isinstance(value, list) else [value])]
        found = [item for item in references if isinstance(item, dict) and item.get("objectType") in readers]
        shown = await asyncio.gather(
            *(read_name(call, self._find_reader(readers[one["objectType"]]), one) for one in found[:MAX_NAMED_OBJECTS])
        )
        return {one["objectId"]: name for one, name in zip(found, shown, strict=False) if name}


def _row_text(row: JsonObject, kind: Dependents, names: Mapping[str, str]) -> str:
    id = str(row.get(kind.row_id, ""))
    type = row.get("objectType")
    name = names.get(id) or row_name(row)
    has_own_id = name != id and "@" not in name
    described = (
        f"{preview_value(name)} (id {preview_value(id)})" if name and has_own_id else name and preview_value(name)
    )
    text = f"{preview_value(type)} " * (type is not None) + (described or f"id {preview_value(id)}")
    return text + "".join(f", {member}: {_format_value(row.get(member))}" for member in kind.shows)


def _missing_lines(kind: Dependents, ids: list[str], rows: list[JsonObject]) -> list[str]:
    """Return a line for each of the *ids* that arguments name and that no row has."""
    found = {row[kind.row_id] for row in rows}
    lines = [f"{kind.kind}: {preview_value(id)}, {NOT_FOUND}" for id in ids if id not in found]
    omitted = len(lines) - MAX_SHOWN
    return lines[:MAX_SHOWN] + ([f"{kind.kind}: and {omitted:,} more, {NOT_FOUND}"] if omitted > 0 else [])


def _format_value(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:,}" if isinstance(value, int) else preview_value(value)


def _member_names(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def _refers_to(value: Any, ids: set[str], depth: int = 0) -> bool:
    """Return whether *value* is one of the *ids*, or contains one at any depth."""
    if isinstance(value, (list, dict)):
        return depth < MAX_DEPTH and any(_refers_to(member, ids, depth + 1) for member in _list_members(value))
    return isinstance(value, str) and value in ids


def _has_condition(value: Any, name: str, types: frozenset[str], depth: int = 0) -> bool:
    """Return whether *value* is, or contains, a condition of one of these *types* with the *name* among its values."""
    if not name or not isinstance(value, (list, dict)) or depth >= MAX_DEPTH:
        return False
    if isinstance(value, dict) and value.get("type") in types and name in as_list(value.get("values")):
        return True
    return any(_has_condition(member, name, types, depth + 1) for member in _list_members(value))


def _list_members(value: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
