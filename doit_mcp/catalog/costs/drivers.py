"""Drivers of a change between two periods: pure functions, in whole cents and tenths of percents so sums are exact."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypedDict

from ...api.value_kinds import Label, Money, Percent
from ...protocol.jsonrpc import JsonObject

NEGLIGIBLE_COST = 0.005
"""Half a cent: anything that costs less counts as absent."""
NEGLIGIBLE_USAGE = 1e-9
"""Usage below which no unit price can be computed."""
MAX_USAGE_EFFECT_CENTS = 10**12
"""Cents: an effect of usage beyond ten billion comes from odd data, and is too large for exact sums."""


class DriverRow(TypedDict, total=False):
    """One driver of the change. byUsage and byPrice add up to the change."""

    name: Annotated[str | None, Label]
    before: Annotated[float, Money]
    after: Annotated[float, Money]
    change: Annotated[float, Money]
    share: Annotated[float | None, Percent]
    status: str
    byUsage: Annotated[float, Money]
    byPrice: Annotated[float, Money]


class OtherDrivers(DriverRow, total=False):
    """Everything that is not among the drivers, as one."""

    count: int


class ChangeCauses(TypedDict):
    """The parts of the change; they add up to it."""

    usage: Annotated[float, Money]
    price: Annotated[float, Money]
    new: Annotated[float, Money]
    gone: Annotated[float, Money]
    untold: Annotated[float, Money]


@dataclass(frozen=True, slots=True)
class CostAndUsage:
    """The cost of something and its usage (0 if unknown)."""

    cost: float
    usage: float = 0.0

    @property
    def has_unit_price(self) -> bool:
        """Whether a unit price can be computed."""
        return self.usage > NEGLIGIBLE_USAGE and self.cost > NEGLIGIBLE_COST


NO_COST = CostAndUsage(0.0)


@dataclass(frozen=True, slots=True)
class CostDriver:
    """One value's part in the change of cost; amounts in cents. *status* is "new", "gone" or "".

    *by_usage* and *by_price* add up to the change; both are None if the data does not separate them.
    """

    name: Hashable
    before: int
    after: int
    status: str = ""
    by_usage: int | None = None
    by_price: int | None = None

    @property
    def change(self) -> int:
        """The change in cost, in cents."""
        return self.after - self.before


def to_cents(amount: float) -> int:
    """Return an amount in whole cents."""
    return round(100 * amount)


def find_drivers(
    before: Mapping[Hashable, CostAndUsage],
    after: Mapping[Hashable, CostAndUsage],
    *,
    complete_before: bool = True,
    complete_after: bool = True,
) -> list[CostDriver]:
    """Return everything that occurs in one of the periods, the largest change first.

    If a period's list is incomplete, a value missing from it may exist all the same, so nothing is marked as new (or
    gone).
    """
    found = []
    for name in {**before, **after}:
        old, new = before.get(name, NO_COST), after.get(name, NO_COST)
        status = ""
        if complete_before and _is_absent(old) and not _is_absent(new):
            status = "new"
        elif complete_after and _is_absent(new) and not _is_absent(old):
            status = "gone"
        found.append(_make_driver(name, old, new, status))
    return sorted(found, key=lambda one: (-abs(one.change), str(one.name)))


def _is_absent(spent: CostAndUsage) -> bool:
    return abs(spent.cost) < NEGLIGIBLE_COST and spent.usage == 0


def _make_driver(name: Hashable, old: CostAndUsage, new: CostAndUsage, status: str) -> CostDriver:
    before, after = to_cents(old.cost), to_cents(new.cost)
    if not (old.has_unit_price and new.has_unit_price):
        return CostDriver(name, before, after, status)
    # The change in usage at the old price; the rest of the change is due to the price.
    by_usage = to_cents((new.usage - old.usage) * (old.cost / old.usage))
    if abs(by_usage) > MAX_USAGE_EFFECT_CENTS:
        return CostDriver(name, before, after, status)
    return CostDriver(name, before, after, status, by_usage, after - before - by_usage)


@dataclass(frozen=True, slots=True)
class ChangeSplit:
    """A total change as the sum of *shown* drivers and *other*; *other_count* drivers are in other."""

    shown: list[CostDriver]
    other: CostDriver
    other_count: int
    total: int

    @property
    def shares(self) -> list[float | None]:
        """Each shown driver's share of the total change in percent, followed by that of other; together they are 100.

        None for all if the total did not change.
        """
        if self.total == 0:
            return [None] * (len(self.shown) + 1)
        tenths = [round(1000 * one.change / self.total) for one in self.shown]
        return [one / 10 + 0.0 for one in (*tenths, 1000 - sum(tenths))]


def split_change(ranked: list[CostDriver], before: int, after: int, top: int) -> ChangeSplit:
    """Return the *top* drivers that changed, and the rest, up to the totals *before* and *after* (cents), as one."""
    shown = [one for one in ranked[:top] if one.change]
    rest = CostDriver("other", before - sum(one.before for one in shown), after - sum(one.after for one in shown))
    return ChangeSplit(shown, rest, len(ranked) - len(shown), after - before)


def change_causes(ranked: list[CostDriver], change: int) -> JsonObject:
    """Return the whole *change* (cents) by cause: usage, price, new and vanished values, and what cannot be separated.

    The five add up to the change.
    """
    usage = sum(one.by_usage or 0 for one in ranked)
    price = sum(one.by_price or 0 for one in ranked)
    new = sum(one.change for one in ranked if one.status == "new")
    gone = sum(one.change for one in ranked if one.status == "gone")
    causes = {"usage": usage, "price": price, "new": new, "gone": gone}
    return {name: amount / 100 for name, amount in (*causes.items(), ("untold", change - sum(causes.values())))}


def driver_row(driver: CostDriver, share: float | None) -> JsonObject:
    """Return a driver as a tool result shows it."""
    row: JsonObject = {
        "name": driver.name,
        "before": driver.before / 100,
        "after": driver.after / 100,
        "change": driver.change / 100,
        "share": share,
    }
    if driver.status:
        row["status"] = driver.status
    if driver.by_usage is not None and driver.by_price is not None:
        row |= {"byUsage": driver.by_usage / 100, "byPrice": driver.by_price / 100}
    return row
