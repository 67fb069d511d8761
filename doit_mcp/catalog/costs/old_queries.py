"""Cost queries for tools that are not built on scopes and reported periods yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...api.common_types import Filter
from ...api.report_config import QueryConfig, normalize_provider
from .groups import FIXED_DIMENSIONS
from .query_config import COST_METRIC
from .scope import CloudArgument

__all__ = ["COST_METRIC", "DIMENSION_IDS", "Cloud", "GroupBy", "cost_query", "group_by_top", "with_scope"]

Cloud = CloudArgument
DIMENSION_IDS = FIXED_DIMENSIONS
GroupBy = Literal["service", "project", "cloud"]


def cost_query(cloud: str | None, months: int, currency: str | None = None) -> QueryConfig:
    """Return the query for cost by month of the last *months*, including the current one.

    Amounts are in the customer's currency unless one is given.
    """
    config: QueryConfig = {
        "dataSource": "billing",
        "metrics": [COST_METRIC],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": months, "unit": "month", "includeCurrent": True},
    }
    return with_scope(config, cloud, currency)


def with_scope(
    config: QueryConfig, cloud: str | None, currency: str | None, filters: Sequence[Filter] = ()
) -> QueryConfig:
    """Return *config* limited to a cloud and by *filters*, with its amounts in *currency*."""
    scope: QueryConfig = {}
    clouds: list[Filter] = []
    if cloud is not None:
        clouds.append({"id": "cloud_provider", "type": "fixed", "mode": "is", "values": [normalize_provider(cloud)]})
    if found := [*filters, *clouds]:
        scope["filters"] = found
    if currency is not None:
        scope["currency"] = currency  # type: ignore[typeddict-item]  # the arguments' schema has checked it
    return {**config, **scope}


def group_by_top(config: QueryConfig, dimension: str, top: int) -> QueryConfig:
    """Return *config* grouped by a dimension, limited to its *top* values."""
    return {
        **config,
        "group": [{"id": dimension, "type": "fixed", "limit": {"metric": COST_METRIC, "sort": "desc", "value": top}}],
    }
