"""The explanation of a change in cost: pure functions from query responses to the result of the tool."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, minor_unit, round_amount
from ..costs.groups import COST_TYPE_COLUMN
from ..periods.alignment import AlignedPeriods
from ..tables import column_names
from .causes import NO_CHARGES, Causes, SkuCost, round_causes, separate_effects, sku_causes, total_causes
from .charge_kinds import ChargeKind, read_charge_kind
from .comparison import MAX_GROUPS, ComparedDimension, change_figures, daily_figure, read_cost_lines
from .drivers import CostDriver, driver_row, find_drivers, split_change
from .final_days import Totals
from .value_names import ValueNames, name_value

MAX_PRICE_DRIVERS = 3
MIN_PRICE_EFFECT = Decimal("0.001")
"""Share of a SKU's cost below which an effect of price comes from rounded usage and costs."""
MIN_PRICE_UNITS = 100
"""Minor units of the smallest effect of price that is reported: less comes from rounded costs of many lines."""


class ChangeBasis(NamedTuple):
    """What a change is computed for. Unless *knows_new*, the data begins too late to know what is new.

    *has_monthly_fees_apart*: monthly fees of commitments count as fees, because one period has more of them.
    """

    periods: AlignedPeriods
    currency: str
    knows_new: bool = True
    has_monthly_fees_apart: bool = False

    @property
    def extra_days(self) -> Decimal:
        """How much longer the later period is, as a share of the earlier one."""
        return Decimal(self.periods.after.days - self.periods.before.days) / self.periods.before.days


class PeriodCosts(NamedTuple):
    """The cost of each value of a dimension in one period, and its name. Unless *complete*, values may be missing."""

    costs: Mapping[Hashable, SkuCost]
    names: ValueNames
    complete: bool

    @classmethod
    def from_answer(
        cls, answer: JsonObject, dimension: ComparedDimension, *, has_monthly_fees_apart: bool = False
    ) -> PeriodCosts:
        """Return the costs in the response to a query. Raise ApiError if it lacks columns."""
        costs: dict[Hashable, SkuCost] = {}
        names = ValueNames()
        keys: set[Hashable] = set()
        has_types = dimension.has_cost_types or COST_TYPE_COLUMN in column_names(answer)
        types = [COST_TYPE_COLUMN] if has_types else []
        for line in read_cost_lines(answer, [dimension.key, dimension.label, *types]):
            key, label, cost_type = (*line.cells, None)[:3]
            keys.add(key)
            # Charges such as tax have no id, but a description.
            value = label if key is None else key
            kind = read_charge_kind(cost_type)
            if has_monthly_fees_apart and kind is ChargeKind.MONTHLY_COMMITMENT_FEE:
                kind = ChargeKind.FEE
            names.add(value, label, line.charge.cost, kind if dimension.has_cost_types else ChargeKind.USAGE)
            costs[value] = costs.get(value, NO_CHARGES).with_charge(kind, line.charge)
        return cls(costs, names, len(keys) < MAX_GROUPS)

    @property
    def total(self) -> Decimal:
        """The cost of all values."""
        return sum((cost.total.cost for cost in self.costs.values()), ZERO)


@dataclass(frozen=True, slots=True)
class DimensionChange:
    """The change of cost by the values of one dimension, the largest first; for SKUs with the causes of each."""

    dimension: ComparedDimension
    before: PeriodCosts
    after: PeriodCosts
    drivers: Sequence[CostDriver]
    causes: Sequence[Causes] = ()

    @property
    def complete(self) -> bool:
        """Whether no value is missing in either period."""
        return self.before.complete and self.after.complete

    def name_of(self, driver: CostDriver) -> str | None:
        """Return the name of a driver: the latest, if it was renamed."""
        return name_value(driver.id, self.after.names, self.before.names)


def dimension_change(
    dimension: ComparedDimension, before: JsonObject, after: JsonObject, basis: ChangeBasis
) -> DimensionChange:
    """Return the change between the responses to two queries. Raise ApiError if one lacks columns.

    In a period without a final day, missing costs may be late, so nothing counts as new or gone.
    """
    apart = basis.has_monthly_fees_apart
    old, new = (PeriodCosts.from_answer(answer, dimension, has_monthly_fees_apart=apart) for answer in (before, after))
    drivers = find_drivers(
        {value: cost.total for value, cost in old.costs.items()},
        {value: cost.total for value, cost in new.costs.items()},
        basis.currency,
        complete_before=old.complete and basis.knows_new and basis.periods.before.final_through is not None,
        complete_after=new.complete and basis.periods.after.final_through is not None,
    )
    causes = []
    for at, driver in enumerate(drivers):
        costs = old.costs.get(driver.id, NO_CHARGES), new.costs.get(driver.id, NO_CHARGES)
        # A SKU with only fees or refunds is neither new nor gone.
        status = "" if any(cost.has_only_fees for cost in costs) else driver.status
        drivers[at] = replace(driver, status=status)
        if dimension.has_cost_types:
            parts = sku_causes(*costs, status, basis.extra_days)
            causes.append(parts)
            effects = separate_effects(parts, driver.change, basis.currency)
            drivers[at] = replace(drivers[at], effects=effects)
    return DimensionChange(dimension, old, new, drivers, causes)


def explain_total(totals: Totals, periods: AlignedPeriods, currency: str) -> JsonObject:
    """Return the change of the total cost."""
    before, after = totals
    return {
        "before": float(round_amount(before, currency)),
        "after": float(round_amount(after, currency)),
        **change_figures(before, after, periods, currency),
        "perDayBefore": daily_figure(before, periods.before, currency),
        "perDayAfter": daily_figure(after, periods.after, currency),
    }


def explain_drivers(
    changes: Sequence[DimensionChange], totals: Totals, currency: str, top: int
) -> tuple[list[JsonObject], str]:
    """Return the drivers of the change between the *totals* by dimension, and a note, "" for none.

    Dimensions other than SKU state how much of the change new and gone values make; for SKUs, the causes do.
    """
    start, end = (round_amount(total, currency) for total in totals)
    dimensions: list[JsonObject] = []
    offsetting = []
    for change in changes:
        split = split_change(list(change.drivers), start, end, top)
        *shares, rest = split.shares
        rows = [driver_row(driver, change.name_of(driver), share) for driver, share in zip(split.shown, shares)]
        other = {**driver_row(split.other, "other", rest), "count": split.other_count}
        appeared = {} if change.dimension.has_cost_types else change_by_status(change.drivers)
        dimensions.append({"dimension": change.dimension.argument, "drivers": rows, "other": other, **appeared})
        if split.offsets:
            offsetting.append(change.dimension.argument)
    return dimensions, _note_on_shares(offsetting)


def change_by_status(drivers: Sequence[CostDriver]) -> JsonObject:
    """Return the change that all new values make, and that of all gone ones, if there are any."""
    changes: dict[str, Decimal] = {}
    for driver in drivers:
        if driver.status:
            changes[driver.status] = changes.get(driver.status, ZERO) + driver.change
    return {status: float(changes[status]) for status in ("new", "gone") if status in changes}


def explain_causes(skus: DimensionChange, totals: Totals, basis: ChangeBasis, *, credits: bool) -> JsonObject:
    """Return the causes of the change, summed over its SKUs, and the SKUs with the largest effects of price.

    With *credits*, the causes have credits even if the data does not.
    """
    before, after = totals
    kept = select_known_causes(
        total_causes(skus.causes, before, after, basis.extra_days),
        [*skus.before.costs.values(), *skus.after.costs.values()],
        credits=credits,
    )
    change = round_amount(after, basis.currency) - round_amount(before, basis.currency)
    causes = {name: float(part) for name, part in round_causes(kept, change, basis.currency).items()}
    drivers = list_price_drivers(skus, basis.currency)
    return {"causes": causes, **({"priceDrivers": drivers} if drivers else {})}


def list_price_drivers(skus: DimensionChange, currency: str) -> list[JsonObject]:
    """Return the SKUs whose price changed, those with the largest effect on cost first."""
    smallest = MIN_PRICE_UNITS * minor_unit(currency)
    effects = [
        (round_amount(parts["price"], currency), driver)
        for parts, driver in zip(skus.causes, skus.drivers)
        if abs(parts["price"]) >= max(smallest, MIN_PRICE_EFFECT * max(abs(driver.before), abs(driver.after)))
    ]
    ranked = sorted(effects, key=lambda effect: (-abs(effect[0]), str(effect[1].id)))[:MAX_PRICE_DRIVERS]
    return [{"id": driver.id, "name": skus.name_of(driver), "amount": float(amount)} for amount, driver in ranked]


def select_known_causes(parts: Causes, costs: Sequence[SkuCost], *, credits: bool) -> Causes:
    """Return the causes without credits, commitments and fees where the data has none: zero would claim no change."""
    shown = {
        "credits": credits or any(cost.has_credits for cost in costs),
        "commitments": any(cost.has_commitments for cost in costs),
        "fees": any(cost.fees for cost in costs),
    }
    return {name: amount for name, amount in parts.items() if shown.get(name, True)}


def note_new_values(dimensions: Sequence[JsonObject], causes: JsonObject) -> str:
    """Return a sentence about *dimensions* whose new or gone values are not new or gone SKUs in *causes*; or ""."""
    others = [
        str(dimension["dimension"])
        for dimension in dimensions
        if dimension.get("new", 0.0) > causes["new"] or dimension.get("gone", 0.0) < causes["gone"]
    ]
    if not others:
        return ""
    return (
        f"new and gone by {', '.join(others)} are values; in causes they are SKUs, so a new value that uses SKUs of "
        "others is in causes.usage."
    )


def _note_on_shares(dimensions: Sequence[str]) -> str:
    if not dimensions:
        return ""
    return (
        f"share is null by {', '.join(dimensions)}: increases and decreases offset each other, so the net change is "
        "less than half of their sum."
    )
