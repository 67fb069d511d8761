"""Drivers of a change between two periods: pure functions over amounts in whole minor units, so that sums are exact."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, NamedTuple, TypedDict

from ...api.value_kinds import Label, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, round_amount, share_percents
from .causes import NO_COST, CostAndUsage

MIN_NET_CHANGE = Decimal("0.5")
"""Shares are null if the net change is less than this part of all increases and decreases together.

With one half, those of increases and decreases are between -50 and 150 percent of the change.
"""
EFFECT_FIELDS = MappingProxyType(
    {
        "usage": "byUsage",
        "price": "byPrice",
        "calendar": "byCalendar",
        "commitments": "byCommitments",
        "credits": "byCredits",
        "fees": "byFees",
    }
)
"""The fields of a driver by its effects."""


class DriverRow(TypedDict, total=False):
    """One driver of the change. The parts whose names begin with by add up to the change."""

    id: Annotated[str, Label]
    name: Annotated[str | None, Label]
    before: Annotated[float, Money]
    after: Annotated[float, Money]
    change: Annotated[float, Money]
    share: Annotated[float | None, Percent]
    status: str
    byUsage: Annotated[float, Money]
    byPrice: Annotated[float, Money]
    byCalendar: Annotated[float, Money]
    byCommitments: Annotated[float, Money]
    byCredits: Annotated[float, Money]
    byFees: Annotated[float, Money]


class OtherDrivers(DriverRow, total=False):
    """Everything that is not among the drivers, combined."""

    count: int


@dataclass(frozen=True, slots=True)
class CostDriver:
    """One value's part in the change of cost; amounts in whole minor units. *status* is "new", "gone" or "".

    *effects* (usage, price and others) add up to the change; empty if the data does not separate them.
    """

    id: Hashable
    before: Decimal
    after: Decimal
    status: str = ""
    effects: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def change(self) -> Decimal:
        """The change in cost."""
        return self.after - self.before


def find_drivers(
    before: Mapping[Hashable, CostAndUsage],
    after: Mapping[Hashable, CostAndUsage],
    currency: str,
    *,
    complete_before: bool = True,
    complete_after: bool = True,
) -> list[CostDriver]:
    """Return everything that occurs in one of the periods, the largest change first.

    If a period's list is incomplete, a value that is missing from it may exist, so nothing is marked as new (or
    gone).
    """
    drivers = []
    for value in {**before, **after}:
        old, new = before.get(value, NO_COST), after.get(value, NO_COST)
        status = ""
        if complete_before and old.is_absent and not new.is_absent:
            status = "new"
        elif complete_after and new.is_absent and not old.is_absent:
            status = "gone"
        drivers.append(CostDriver(value, round_amount(old.cost, currency), round_amount(new.cost, currency), status))
    return sorted(drivers, key=lambda driver: (-abs(driver.change), str(driver.id)))


class ChangeSplit(NamedTuple):
    """A total change as the sum of *shown* drivers and *other*; *other_count* drivers are in other.

    *movement* is the sum of all increases and decreases, both as positive amounts.
    """

    shown: list[CostDriver]
    other: CostDriver
    other_count: int
    movement: Decimal

    @property
    def change(self) -> Decimal:
        """The total change."""
        return sum((driver.change for driver in self.shown), self.other.change)

    @property
    def offsets(self) -> bool:
        """Whether increases and decreases offset each other so much that shares of the net change mislead."""
        return bool(self.movement) and abs(self.change) < MIN_NET_CHANGE * self.movement

    @property
    def shares(self) -> list[float | None]:
        """Each shown driver's share of the total change in percent, followed by that of other; they add up to 100.

        None for all if the total did not change, or by less than half of all increases and decreases together.
        """
        if self.offsets:
            return [None] * (len(self.shown) + 1)
        return share_percents([driver.change for driver in (*self.shown, self.other)])


def split_change(ranked: list[CostDriver], before: Decimal, after: Decimal, top: int) -> ChangeSplit:
    """Return the *top* drivers that changed, and the rest, up to the totals *before* and *after*, as one."""
    shown = [driver for driver in ranked[:top] if driver.change]
    other = CostDriver(
        "other",
        before - sum((driver.before for driver in shown), ZERO),
        after - sum((driver.after for driver in shown), ZERO),
    )
    unlisted = other.change - sum((driver.change for driver in ranked[len(shown) :]), ZERO)
    movement = sum((abs(driver.change) for driver in ranked), abs(unlisted))
    return ChangeSplit(shown, other, len(ranked) - len(shown), movement)


def driver_row(driver: CostDriver, name: str | None, share: float | None = None) -> JsonObject:
    """Return a driver as a tool result shows it; with its id if that is not its name."""
    row: JsonObject = {} if driver.id == name or driver.id is None else {"id": driver.id}
    row |= {
        "name": name,
        "before": float(driver.before),
        "after": float(driver.after),
        "change": float(driver.change),
        "share": share,
    }
    if driver.status:
        row["status"] = driver.status
    return row | {EFFECT_FIELDS[effect]: float(amount) for effect, amount in driver.effects.items()}
