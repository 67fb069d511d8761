"""Changes of a scenario: the grammar of the argument, and what each change means.

Changes are texts rather than objects because forecast_spend is listed by default: the forms of all kinds fit into one
description of about 100 tokens, and a schema of objects takes about 150.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from ...api.errors import ApiError
from ...protocol.json_schema import Length, short_json
from ..periods.period import Period

MAX_CHANGES = 10
MAX_CHARACTERS = 300
MAX_PERCENT = 1000
LARGEST_DECREASE = -100
MAX_ONE_OFF = Decimal(10) ** 12

ScenarioArgument = Annotated[
    list[Annotated[str, Length(1, MAX_CHARACTERS)]] | None,
    'What if: "growth 10% of cloud:aws from 2026-12-01", "price -5% of service:BigQuery from 2026-12-01", "move '
    'service:BigQuery to cloud:aws at 80% from 2026-12-10", "one-off 5000 on 2026-12-10". of is optional.',
    Length(1, MAX_CHANGES),
]

Kind = Literal["growth", "price", "move", "one-off"]
KINDS: tuple[Kind, ...] = ("growth", "price", "move", "one-off")
"""The order in which changes apply to the costs of a day, whatever their order in the argument."""
FORMS = MappingProxyType(
    {
        "growth": "growth 10% of cloud:aws from 2026-12-01 (of is optional)",
        "price": "price -5% of service:BigQuery from 2026-12-01 (of is optional)",
        "move": "move service:BigQuery to cloud:aws at 80% from 2026-12-10",
        "one-off": "one-off 5000 of cloud:aws on 2026-12-10 (of is optional)",
    }
)
_NUMBER = r"(?P<number>[+-]?\d{1,13}(?:\.\d{1,6})?)"
_DAY = r"(?P<day>\d{4}-\d{2}-\d{2})"
_OF = r"(?: of (?P<of>(?:cloud|service):\S.*?))?"
# Strings, which re compiles on first use: together they take 5 ms, and few forecasts have a scenario.
_PATTERNS = MappingProxyType(
    {
        "growth": rf"(?i)growth {_NUMBER} ?%{_OF} from {_DAY}",
        "price": rf"(?i)price {_NUMBER} ?%{_OF} from {_DAY}",
        "move": rf"(?i)move (?P<of>(?:cloud|service):\S.*?) to (?P<to>(?:cloud|service):\S.*?) at {_NUMBER} ?% from {_DAY}",
        "one-off": rf"(?i)one-off {_NUMBER}{_OF} on {_DAY}",
    }
)
_PLAIN_AMOUNT = re.compile(r"[+-]?\d{1,13}(?:\.\d{1,6})?")
_UNIT = re.compile(r"one-off \S+ (?P<unit>(?!of\b|on\b)\S+)", re.IGNORECASE)
_UNIT_PERCENT = re.compile(r"\w+ \S+ ?%")
_OTHER_PART = re.compile(r"\b(?:of|move|to) (?P<dimension>\w{1,50}):", re.IGNORECASE)
_ANY_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
DIMENSIONS = ("cloud", "service")


class Part(NamedTuple):
    """Costs of one *cloud* or *service*, by the name that the caller wrote."""

    dimension: Literal["cloud", "service"]
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change, number *index* of the argument, from the day *starts*; a one-off happens on that day.

    *number* is in percent, or the amount of a one-off. *of* limits it to a part of the costs; a move goes *to*
    another.
    """

    index: int
    text: str
    kind: Kind
    number: Decimal
    starts: date
    of: Part | None = None
    to: Part | None = None

    @property
    def argument(self) -> str:
        """How errors name it."""
        return f"scenario[{self.index}]"


def parse_changes(texts: Sequence[str], today: date, horizon: Period) -> list[Change]:
    """Return the changes of an argument in its order. Raise ApiError that names the entry and the right form."""
    return [_parse_change(index, " ".join(text.split()), today, horizon) for index, text in enumerate(texts)]


def _parse_change(index: int, text: str, today: date, horizon: Period) -> Change:
    kind = next((name for name in KINDS if text.lower().startswith(name)), None)
    if kind is None:
        forms = "; ".join(FORMS.values())
        raise _change_error(index, f"{short_json(text)} is not a change. Accepted: {forms}")
    found = re.fullmatch(_PATTERNS[kind], text)
    if found is None:
        raise _change_error(index, f"{short_json(text)} cannot be read{_explain_form(kind, text)}. Write {FORMS[kind]}")
    parts = found.groupdict()
    change = Change(
        index,
        text,
        kind,
        Decimal(parts["number"]),
        _parse_day(index, parts["day"], today, horizon),
        _parse_part(parts["of"]),
        _parse_part(parts.get("to")),
    )
    _check_number(change)
    return change


def _explain_form(kind: Kind, text: str) -> str:
    """Return what is wrong with a change that does not have the form of its kind; empty if that is unclear."""
    for part in _OTHER_PART.finditer(text):
        if part["dimension"].lower() not in DIMENSIONS:
            return f": {short_json(part['dimension'])} is not supported in changes; use cloud: or service:"
    number = text[len(kind) :].split(maxsplit=1)[0] if kind != "move" and text[len(kind) :].strip() else ""
    if kind == "one-off" and _PLAIN_AMOUNT.fullmatch(number) is None:
        return f": {short_json(number)} is not a plain number; write 5000 or 5000.50, without separators, units or currency"
    if kind == "one-off" and (unit := _UNIT.match(text)) is not None:
        return (
            f": leave out {short_json(unit['unit'])}; amounts are in the currency of the answer, which currency selects"
        )
    if kind in ("growth", "price") and number and not number.endswith("%") and not _UNIT_PERCENT.match(text):
        return ": the number must be a percentage, such as 10%"
    return "" if _ANY_DAY.search(text) else ": it has no day as YYYY-MM-DD"


def _parse_day(index: int, text: str, today: date, horizon: Period) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise _change_error(index, f"{text} is not a valid date; write YYYY-MM-DD") from error
    if not today < day <= horizon.last:
        raise _change_error(
            index,
            f"{text} is not a future day of the forecast; use a day after {today.isoformat()} and up to "
            f"{horizon.last.isoformat()}",
        )
    return day


def _parse_part(text: str | None) -> Part | None:
    if text is None:
        return None
    dimension, _, name = text.partition(":")
    return Part("cloud" if dimension.lower() == "cloud" else "service", name.strip())


def _check_number(change: Change) -> None:
    if change.kind == "one-off":
        if not 0 < abs(change.number) <= MAX_ONE_OFF:
            raise _change_error(change.index, f"the amount must not be 0, and at most {MAX_ONE_OFF:,}")
        return
    least = 0 if change.kind == "move" else LARGEST_DECREASE
    if not least <= change.number <= MAX_PERCENT:
        raise _change_error(change.index, f"the percentage must be from {least} to {MAX_PERCENT}")
    if change.to is not None and change.to == change.of:
        raise _change_error(change.index, "a move must go to another cloud or service")


def _change_error(index: int, text: str) -> ApiError:
    return ApiError(f"scenario[{index}]: {text}", kind="argument")
