"""Parsing of fault settings: JSON at run time, text on the command line, with the same validation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import jsonschema_rs

from .faults import FAULT_KINDS, MAX_DELAY_SECONDS, Fault
from .report_timing import MAX_REPORT_SECONDS
from .responses import JsonObject

MAX_FAULTS = 100
_FAULT_SCHEMA = {
    "type": "object",
    "required": ["kind"],
    "properties": {
        "path_prefix": {"type": "string", "maxLength": 1000},
        "operation": {"type": "string", "maxLength": 1000},
        "kind": {"anyOf": [{"type": "integer", "minimum": 400, "maximum": 599}, {"enum": list(FAULT_KINDS)}]},
        "times": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "retry_after": {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 100}, {"type": "null"}]},
        "rate": {"type": "number", "minimum": 0, "maximum": 1},
        "delay": {"type": "number", "minimum": 0, "maximum": MAX_DELAY_SECONDS},
    },
    "additionalProperties": False,
}
_SETTINGS_VALIDATOR = jsonschema_rs.validator_for(
    {
        "type": "object",
        "properties": {
            "latency": {"type": "number", "minimum": 0, "maximum": MAX_DELAY_SECONDS},
            "report_seconds": {"type": "number", "minimum": 0, "maximum": MAX_REPORT_SECONDS},
            "faults": {"type": "array", "maxItems": MAX_FAULTS, "items": _FAULT_SCHEMA},
        },
        "additionalProperties": False,
    }
)
_NUMBER_OPTIONS = ("rate", "delay")


class Disturbances(NamedTuple):
    """How the API misbehaves: the delay of responses, the time that reports take (both in seconds), and faults."""

    latency: float
    report_seconds: float
    faults: list[Fault]


def parse_settings(settings: Any, operations: Collection[str]) -> Disturbances:
    """The settings ``{"latency": …, "report_seconds": …, "faults": […]}``; *operations* are the known ones.

    Raises ValueError naming the invalid members.
    """
    problems = [
        f"{'.'.join(map(str, item.instance_path)) or 'body'}: {item.message}"
        for item in _SETTINGS_VALIDATOR.iter_errors(settings)
    ]
    if not problems:
        problems = [problem for item in settings.get("faults", ()) for problem in _check_operation(item, operations)]
    if problems:
        raise ValueError("; ".join(problems[:10]))
    faults = [Fault(**{"path_prefix": "/", **item}) for item in settings.get("faults", ())]
    return Disturbances(float(settings.get("latency", 0.0)), float(settings.get("report_seconds", 0.0)), faults)


def parse_fault(text: str) -> JsonObject:
    """A fault given as text, as JSON: ``429,on=GET /analytics/v1/budgets,rate=0.1,retry-after=2``.

    The fault is permanent unless ``times=`` limits it. Raises ValueError.
    """
    kind, *options = (item.strip() for item in text.split(","))
    if not kind.isdecimal() and kind not in FAULT_KINDS:
        raise ValueError(f"{kind!r} is neither a status from 400 to 599 nor one of {', '.join(FAULT_KINDS)}")
    fault: JsonObject = {"kind": int(kind) if kind.isdecimal() else kind, "times": None}
    for option in options:
        name, equals, value = (part.strip() for part in option.partition("="))
        if not equals or name not in ("on", "rate", "times", "delay", "retry-after"):
            raise ValueError(f"{option!r} is not one of on=, rate=, times=, delay=, retry-after=")
        fault |= _parse_option(name, value)
    return fault


def _parse_option(name: str, value: str) -> JsonObject:
    if name == "on":
        return {"path_prefix" if value.startswith("/") else "operation": value}
    if name in _NUMBER_OPTIONS:
        return {name: _parse_number(name, value, float)}
    if name == "times":
        return {name: _parse_number(name, value, int)}
    return {"retry_after": int(value) if value.isdecimal() else value}


def _parse_number(name: str, value: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{name}: must be a {'whole ' if kind is int else ''}number, not {value[:40]!r}") from None


def _check_operation(fault: JsonObject, operations: Collection[str]) -> list[str]:
    operation = fault.get("operation", "")
    if not operation or operation in operations:
        return []
    return [
        f"operation: {operation!r} is not an operation of the API document, such as 'GET /analytics/v1/budgets/{{id}}'"
    ]
