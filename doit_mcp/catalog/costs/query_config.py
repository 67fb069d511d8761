"""Cost queries: the configuration that composed tools send for a scope, a period and groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from ...api.common_types import Currency
from ...api.errors import ApiError
from ...api.report_config import Metric, QueryConfig
from ..periods.period import Period, with_period
from .groups import GroupDimension
from .scope import Scope

COST_METRIC: Metric = {"type": "basic", "value": "cost"}
USAGE_METRIC: Metric = {"type": "basic", "value": "usage"}

QueryInterval = Literal["day", "month", "quarter", "year"]


def cost_config(
    scope: Scope,
    period: Period,
    currency: str,
    *,
    interval: QueryInterval = "month",
    groups: Sequence[GroupDimension] = (),
    metrics: Sequence[Metric] = (COST_METRIC,),
    limit: int | None = None,
) -> QueryConfig:
    """Return the query for the cost of a *scope* in exactly this *period*, by *interval* and *groups*.

    *limit* keeps the most expensive values of the first group, or those with the largest credits. Raise ApiError for
    credits by day, which the API does not have.
    """
    if scope.include_credits and interval == "day":
        raise ApiError("includeCredits: the API has credits by month only; use interval month", kind="argument")
    config: QueryConfig = {
        "dataSource": "billing",
        "metrics": list(metrics),
        "timeInterval": interval,
        "currency": cast(Currency, currency),
    }
    if groups:
        wanted = [group for dimension in groups for group in dimension.as_groups]
        # The cost type of SKUs can also be the other dimension.
        config["group"] = list({(group["type"], group["id"]): group for group in wanted}.values())
        if limit is not None:
            sort: Literal["asc", "desc"] = "asc" if scope.is_of_credits else "desc"
            config["group"][0]["limit"] = {"metric": COST_METRIC, "sort": sort, "value": limit}
    return with_period(scope.apply(config), period)
