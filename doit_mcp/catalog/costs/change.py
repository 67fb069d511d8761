"""Why a bill changed: one change, taken apart by service, project, region and SKU."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal, TypedDict

from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.report_config import Config, provider_of
from ...protocol.json_schema import Length, Pattern, Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import in_thread
from .. import periods
from ..call import Call
from ..currencies import AskedCurrency, StatedCurrency, own_currency
from ..partial_results import Parts, together
from ..periods import Period, month_of, today_of
from ..tables import money, percent, sums_by, total_of
from ..tools.result_handles import Table, packed
from .breakdown import COST, DIMENSIONS, Cloud
from .drivers import Driver, Spent, cents, drivers, price_and_usage, shown, split

MOST_GROUPS = 1000
"""Things that are read of one dimension and period, the most expensive ones; what is below them is in other."""

By = Literal["service", "project", "region", "sku", "cloud"]
When = Annotated[str | None, "A month (2026-08) or first and last day (2026-08-01/2026-08-15).", Pattern(periods.FORM)]
Spend = dict[Hashable, Spent]


class Explained(TypedDict, total=False):
    """A change and its drivers."""

    before: Annotated[JsonObject, "from, to (both included) and days."]
    after: JsonObject
    total: Annotated[JsonObject, "Cost before and after, change, changePercent, and cost per day in both."]
    causes: Annotated[
        JsonObject,
        "The change by its causes, which add up to it: usage (more or less of the same), price (another unit price), "
        "new and gone SKUs, untold. Only with sku.",
    ]
    by: Annotated[
        list[JsonObject],
        "For each dimension the drivers, the largest first, and other, which adds up to the total change: before, "
        "after, change, share of the change in percent; status new or gone; byUsage and byPrice of a SKU.",
    ]
    currency: StatedCurrency
    failed: Annotated[list[JsonObject], "Parts that could not be had, and why."]
    note: str
    handle: Annotated[str, "For query_result: all drivers."]


async def explain_cost_change(
    call: Call,
    *,
    after: Annotated[When, "The period to explain; the last whole month, if left out."] = None,
    before: Annotated[When, "What to compare it with; the period just before it, if left out."] = None,
    by: Annotated[list[By] | None, "Where to look; all but cloud, if left out.", Length(1, 5)] = None,
    cloud: Cloud = None,
    filters: Annotated[list[Filter] | None, "Only costs that match all of these.", Length(maximum=10)] = None,
    top: Annotated[int, "Drivers of each dimension.", Range(1, 25)] = 5,
    currency: AskedCurrency = None,
) -> Annotated[JsonObject, Explained]:
    """Explain why cost went up or down between two periods: which services, projects, regions and SKUs drove it, what
    is new or gone, and how much is price and how much usage. Shares add up to the whole change."""
    new, old = wanted(after, before, today_of(call.now))
    config = config_of(cloud, filters, currency)
    dimensions = list(dict.fromkeys(by or ["service", "project", "region", "sku"]))
    work: dict[str, Awaitable[Any]] = {name: _pair(call, config, name, old, new) for name in dimensions}
    if currency is None:
        work["currency"] = own_currency(call.doit)
    parts = await together(work)
    pairs = {name: parts.found[name] for name in dimensions if name in parts.found}
    Parts(pairs, parts.failed).or_raise()
    totals = await _totals(call, config, pairs, old, new)
    found = await in_thread(explained, pairs, *totals, top)
    found |= {
        "before": old.shown,
        "after": new.shown,
        "currency": currency or parts.found.get("currency"),
    }
    found["total"] |= {"perDayBefore": money(totals[0] / old.days), "perDayAfter": money(totals[1] / new.days)}
    if parts.failed:
        found["failed"] = parts.failures
    if new.last >= today_of(call.now):
        found["note"] = f"The period is not over: costs of days up to {new.last.isoformat()} are missing."
    return await _kept(call, found, pairs, top)


def wanted(after: str | None, before: str | None, today: date) -> tuple[Period, Period]:
    """The period to explain and the one to compare it with. Raises ApiError."""
    new = periods.read(after, "after") if after else month_of(today).before()
    old = periods.read(before, "before") if before else new.before()
    if old.last >= new.first:
        raise ApiError("before: must end before the period after begins", kind="argument")
    return new, old


def config_of(cloud: str | None, filters: list[Filter] | None, currency: str | None) -> Config:
    """The query for cost and usage, without period and groups."""
    config: Config = {"dataSource": "billing", "metrics": [COST], "timeInterval": "month"}
    clouds: list[Filter] = []
    if cloud is not None:
        clouds.append({"id": "cloud_provider", "type": "fixed", "mode": "is", "values": [provider_of(cloud)]})
    if found := [*(filters or []), *clouds]:
        config["filters"] = found
    if currency is not None:
        config["currency"] = currency  # type: ignore[typeddict-item]  # the arguments' schema has checked it
    return config


class Pair:
    """One dimension's spend in both periods."""

    def __init__(self, before: Spend, after: Spend) -> None:
        self.before, self.after = before, after
        self.complete_before, self.complete_after = len(before) < MOST_GROUPS, len(after) < MOST_GROUPS

    @classmethod
    def of(cls, before: JsonObject, after: JsonObject, dimension: str) -> Pair:
        """The spend that the answers to both queries give. Raises ApiError."""
        return cls(spend_of(before, dimension), spend_of(after, dimension))

    @cached_property
    def ranked(self) -> list[Driver]:
        """Its drivers."""
        return drivers(
            self.before, self.after, complete_before=self.complete_before, complete_after=self.complete_after
        )


async def _pair(call: Call, config: Config, by: str, old: Period, new: Period) -> Pair:
    grouped = grouped_by(config, by)
    parts = await together(
        {
            "before": call.doit.reports.run_query(config=periods.over(grouped, old)),
            "after": call.doit.reports.run_query(config=periods.over(grouped, new)),
        }
    )
    for error in parts.failed.values():
        raise error
    # Thousands of groups by months: up to a second of work.
    return await in_thread(Pair.of, parts.found["before"], parts.found["after"], DIMENSIONS[by])


def grouped_by(config: Config, by: str) -> Config:
    """*config* split by a dimension; SKUs with their usage, whose unit is the same for all of a SKU."""
    limit: Any = {"metric": COST, "sort": "desc", "value": MOST_GROUPS}
    split_up: Config = {**config, "group": [{"id": DIMENSIONS[by], "type": "fixed", "limit": limit}]}
    return {**split_up, "metrics": [COST, {"type": "basic", "value": "usage"}]} if by == "sku" else split_up


def spend_of(answer: JsonObject, dimension: str) -> Spend:
    """What each value of a dimension cost. Raises ApiError where the answer does not say."""
    cost, usage = sums_by(answer, [dimension]), sums_by(answer, [dimension], "usage")
    if not cost and answer["rows"]:
        raise ApiError(f"its rows have no {dimension} and cost", kind="answer")
    return {key[0]: Spent(amount, usage.get(key, 0.0)) for key, amount in cost.items()}


async def _totals(call: Call, config: Config, pairs: dict[str, Pair], old: Period, new: Period) -> tuple[float, float]:
    """Cost of both periods: from a dimension whose lists are complete, else asked for."""
    for pair in pairs.values():
        if pair.complete_before and pair.complete_after:
            return sum(one.cost for one in pair.before.values()), sum(one.cost for one in pair.after.values())
    before = await call.doit.reports.run_query(config=periods.over(config, old))
    after = await call.doit.reports.run_query(config=periods.over(config, new))
    return total_of(before) or 0.0, total_of(after) or 0.0


def explained(pairs: dict[str, Pair], before: float, after: float, top: int) -> JsonObject:
    """The change from the total *before* to the total *after*, and its drivers by each dimension."""
    start, end = cents(before), cents(after)
    found: JsonObject = {
        "total": {
            "before": start / 100,
            "after": end / 100,
            "change": (end - start) / 100,
            "changePercent": percent((end - start) / 100, start / 100),
        },
        "by": [],
    }
    for name, pair in pairs.items():
        ranked = pair.ranked
        parts = split(ranked, start, end, top)
        *shares, other = parts.shares
        rows = [shown(driver, share) for driver, share in zip(parts.shown, shares)]
        found["by"].append(
            {"dimension": name, "drivers": rows, "other": {**shown(parts.other, other), "count": parts.others}}
        )
        if name == "sku":
            found["causes"] = price_and_usage(ranked, end - start)
    return found


DRIVER_COLUMNS = (
    ("dimension", "string"),
    ("name", "string"),
    ("status", "string"),
    *((name, "float") for name in ("before", "after", "change", "byUsage", "byPrice")),
)


async def _kept(call: Call, found: JsonObject, pairs: dict[str, Pair], top: int) -> JsonObject:
    """*found*, with a handle to all drivers where it does not show them all."""
    if all(len(pair.before.keys() | pair.after.keys()) <= top for pair in pairs.values()):
        return found
    about = {"tool": "explain_cost_change", **{name: found[name] for name in ("currency", "before", "after")}}
    handle = await call.results.put(call.owner, await in_thread(_packed, pairs, about, call.customer))
    return found | ({"handle": handle} if handle else {})


def _packed(pairs: dict[str, Pair], about: JsonObject, customer: str | None) -> bytes:
    """All drivers as a table that can be kept."""
    rows: list[list[Any]] = []
    for dimension, pair in pairs.items():
        for one in (shown(driver, None) for driver in pair.ranked):
            rows.append([dimension, *(one.get(name) for name, _ in DRIVER_COLUMNS[1:])])
    return packed(Table([{"name": name, "type": kind} for name, kind in DRIVER_COLUMNS], rows, about), customer)
