"""A type of event: its source, its filters, its payload, and what identifies an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..protocol.jsonrpc import JsonObject
from ..protocol.schema_validator import SchemaValidator
from .errors import invalid_parameter_error
from .new_items import NewItem, parse_epoch_seconds

DELIVERY_MODES = ("webhook",)
MAX_FILTER_CHARACTERS = 200
MAX_FILTER_NUMBER = 10**12

Accepts = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """One argument of a subscription: its *schema*, and whether it *accepts* the value of *member* in the payload."""

    member: str
    schema: JsonObject
    accepts: Accepts


def text_schema(description: str, **keywords: Any) -> JsonObject:
    """Return the schema of a text."""
    return {"type": "string", "description": description, **keywords}


def number_schema(description: str, **keywords: Any) -> JsonObject:
    """Return the schema of a number."""
    return {"type": "number", "description": description, **keywords}


def equals_filter(member: str, description: str, choices: tuple[str, ...] = ()) -> Filter:
    """Return a filter that accepts one value of *member*."""
    keywords: JsonObject = {"enum": list(choices)} if choices else {"minLength": 1, "maxLength": MAX_FILTER_CHARACTERS}
    return Filter(member, text_schema(description, **keywords), lambda wanted, value: str(value) == wanted)


def minimum_filter(member: str, description: str) -> Filter:
    """Return a filter that accepts numbers of *member* from its value."""

    def accepts(wanted: float, value: Any) -> bool:
        return isinstance(value, int | float) and value >= wanted

    return Filter(member, number_schema(description, minimum=0, maximum=MAX_FILTER_NUMBER), accepts)


@dataclass(frozen=True)
class EventType:
    """A type of event: its *source* of rows, and the schemas of its filters and its payload.

    The members *identity* of the payload identify the item, among those of its customer.
    """

    name: str
    source: str
    description: str
    payload: Mapping[str, JsonObject]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    identity: tuple[str, ...] = ("id",)

    @property
    def input_schema(self) -> JsonObject:
        """The JSON Schema of a subscription's arguments, all of which are optional."""
        properties = {name: declared.schema for name, declared in self.filters.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    @property
    def payload_schema(self) -> JsonObject:
        """The JSON Schema of ``data``. Members without a value are left out."""
        return {"type": "object", "properties": dict(self.payload), "required": ["id"], "additionalProperties": False}

    @property
    def list_entry(self) -> JsonObject:
        """The entry in the result of ``events/list``."""
        return {
            "name": self.name,
            "description": self.description,
            "delivery": list(DELIVERY_MODES),
            "inputSchema": self.input_schema,
            "payloadSchema": self.payload_schema,
        }

    @cached_property
    def _argument_validator(self) -> SchemaValidator:
        return SchemaValidator(self.input_schema)

    @cached_property
    def payload_validator(self) -> SchemaValidator:
        """Validates ``data`` from outside this server."""
        return SchemaValidator(self.payload_schema)

    def check_arguments(self, arguments: object) -> JsonObject:
        """Return the arguments of a subscription in canonical form. Raise EventError."""
        if not isinstance(arguments, dict):
            raise invalid_parameter_error("params.arguments must be an object")
        if problems := self._argument_validator.problems(arguments):
            raise invalid_parameter_error("params.arguments." + "; ".join(problems))
        # 50 and 50.0 are the same number.
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in sorted(arguments.items())
        }

    def make_item(self, occurred_at: float, data: JsonObject) -> NewItem:
        """Return the item that *data* is about, which happened at *occurred_at* in epoch seconds."""
        return NewItem(
            self.name,
            " ".join(_format_identifier(member, data.get(member)) for member in self.identity),
            occurred_at,
            data,
        )

    def check_identity(self, data: JsonObject) -> None:
        """Raise EventError if *data* does not identify its item."""
        for member in self.identity:
            value = data.get(member)
            if value in (None, ""):
                raise invalid_parameter_error(
                    f"data.{member} is required: it identifies the event with {', '.join(self.identity)}"
                )
            if member in IDENTIFYING_TIMES and parse_epoch_seconds(value) is None:
                raise invalid_parameter_error(f"data.{member} must be an RFC 3339 time")

    def matches(self, arguments: JsonObject, data: JsonObject) -> bool:
        """Return whether *data* passes the filters of a subscription."""
        return all(
            self.filters[name].accepts(wanted, data.get(self.filters[name].member))
            for name, wanted in arguments.items()
        )


IDENTIFYING_TIMES = ("firedAt", "updateTime", "endDate", "runTime")


def _format_identifier(member: str, value: Any) -> str:
    """Return a value of a payload in one form: 50 and 50.0 are the same, and so are two spellings of one time."""
    if isinstance(value, int | float):
        return f"{value:.12g}"
    seconds = parse_epoch_seconds(value) if member in IDENTIFYING_TIMES else None
    return str(value or "") if seconds is None else f"{seconds:.3f}"
