"""The accounts of a customer in PerfectScale for Commitments, by id and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...api.pagination import iterate_rows
from ..call import Call

ROWS_PER_REQUEST = 500


async def read_account_names(call: Call, fact: str, method: Callable[..., Any], id_member: str) -> dict[str, str]:
    """Return the display names in the list that *method* returns, by the member *id_member*. Cache them as *fact*.

    Raise ApiError.
    """
    remembered: dict[str, str] | None = call.facts.get(fact)
    if remembered is not None:
        return remembered
    rows = iterate_rows(method, maxResults=ROWS_PER_REQUEST)
    found = {str(row.get(id_member) or ""): str(row.get("displayName") or "") async for row in rows}
    # The customer may be onboarded at any moment, so an empty list is not cached.
    if found:
        call.facts.put(fact, found)
    return found
