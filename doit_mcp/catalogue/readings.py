"""Readings: operations of the API that composed tools read and whose areas are not written yet."""

# Operations are declared as methods without a body: the decorator sends them.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from ..doit import Doit
from ..doit.operation import Area, get
from ..protocol.jsonrpc import JsonObject


class Readings(Area):
    """Plain reads, bound to a call's sender."""

    @classmethod
    def of(cls, doit: Doit) -> Self:
        """The readings for the same call."""
        return cls(doit.reports.sender)

    @get("/insights/v1/results", items="results")
    async def insights(
        self,
        *,
        searchTerm: str | None = None,
        displayStatus: Sequence[str] | None = None,
        category: Sequence[str] | None = None,
        cloudProvider: str | None = None,
        priority: Sequence[str] | None = None,
        easyWin: bool | None = None,
        pageToken: str | None = None,
        maxResults: int | None = None,
    ) -> JsonObject: ...

    @get("/insights/v1/results/source/{sourceID}/insight/{insightKey}")
    async def insight(self, *, sourceID: str, insightKey: str) -> JsonObject: ...

    @get("/analytics/v1/commitment-manager", items="commitments")
    async def commitments(self, *, maxResults: int | None = None, pageToken: str | None = None) -> JsonObject: ...

    @get("/cloudflow/v1/flows", items="items")
    async def flows(self, *, maxResults: int | None = None, pageToken: str | None = None) -> JsonObject: ...
