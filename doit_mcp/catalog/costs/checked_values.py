"""What is known about the values of filters: whether all exist, and which others differ from them only in case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...protocol.json_schema import short_json
from ..call import Call
from ..known_names import list_known_values
from .scope import COST_TYPE_DIMENSION, Scope

NOT_CHECKED = "Whether all values exist was not checked."
COST_TYPES_FACT = "cost_types"


class CheckedValues(NamedTuple):
    """Whether all values of the filters *exist*: false if that is unknown, and None if they need no check.

    *variants* are existing values that differ from one of them only in case.
    """

    exist: bool | None = None
    variants: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """The notes of an answer about the values; can be empty."""
        notes = [NOT_CHECKED] if self.exist is False else []
        if self.variants:
            listed = ", ".join(map(short_json, self.variants))
            notes.append(f"The data also has {COST_TYPE_DIMENSION} {listed}, which no filter names.")
        return notes


def list_filtered_cost_types(scope: Scope) -> list[str]:
    """Return the cost types that the filters of *scope* name. The clouds write some of them in different case."""
    return [
        str(value)
        for condition in scope.filters
        if condition["id"] == COST_TYPE_DIMENSION and condition.get("mode", "is") == "is"
        for value in condition.get("values", ())
    ]


async def find_variants(call: Call, wanted: Sequence[str]) -> list[str]:
    """Return the cost types in the data that differ from one of the *wanted* only in case. Raise ApiError."""
    known = call.facts.get(COST_TYPES_FACT)
    if known is None:
        details: Any = await call.doit.dimensions.get_dimension(type="fixed", id=COST_TYPE_DIMENSION)
        known = list_known_values(details)
        call.facts.put(COST_TYPES_FACT, known)
    folded = {value.casefold() for value in wanted}
    return sorted(value for value in known if value.casefold() in folded and value not in wanted)
