"""What was read about the object of a write, before the write."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject

NO_OBJECTS: Mapping[str, JsonObject] = MappingProxyType({})


class Snapshot(NamedTuple):
    """What was read for one call: the object, None if unknown, with a *note* that says why; and *related* objects.

    *related* are by the arguments with their ids, *customer* is "" for the user's own, *link* is the object's page in the
    console.
    """

    current: JsonObject | None
    note: str = ""
    related: Mapping[str, JsonObject] = NO_OBJECTS
    customer: str = ""
    link: str = ""
