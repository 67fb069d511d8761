"""Model of a scenario: how changes alter the expected cost of each day to come. Pure computation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ...api.nearest import unknown_value
from ...api.report_config import normalize_provider
from ..costs.amounts import ZERO, round_amount
from ..costs.statement import TIME_ZONES
from ..periods.period import Period
from .scenario_changes import KINDS, Change, Part

ONE = Decimal(1)
Atom = tuple[str | None, str | None]
"""A cloud and a service, which costs are split by; None where a change does not say."""
Shares = Mapping[Atom, Decimal]
"""The share of each atom in the costs; together 1."""


@dataclass(frozen=True, slots=True)
class ResolvedChange:
    """A change whose parts exist in the data: what it applies to, and the atom that a move or one-off adds to."""

    change: Change
    applies: Callable[[Atom], bool]
    target: Atom = (None, None)


@dataclass(frozen=True, slots=True)
class DayChange:
    """What one change adds to the expected cost of one day: *cost* times *parts*, by atom.

    Days on which the same changes apply share one object of *parts*.
    """

    change: Change
    day: date
    cost: Decimal
    parts: Mapping[Atom, Decimal]


def resolve_changes(changes: Iterable[Change], shares: Shares) -> list[ResolvedChange]:
    """Return the changes in the order in which they apply. Raise ApiError for a cloud or service that has no costs."""
    ordered = sorted(changes, key=lambda change: (KINDS.index(change.kind), change.index))
    return [_resolve(change, shares) for change in ordered]


def _resolve(change: Change, shares: Shares) -> ResolvedChange:
    at = None if change.of is None else _known_name(change, change.of, shares)
    place = None if change.of is None else (0 if change.of.dimension == "cloud" else 1)
    target = _target(change, change.to, shares) if change.to is not None else (None, None)
    if change.kind == "one-off" and change.of is not None and at is not None:
        target = _target(change, Part(change.of.dimension, at), shares)
    return ResolvedChange(change, lambda atom: place is None or atom[place] == at, target)


def _known_name(change: Change, part: Part, shares: Shares) -> str:
    place = 0 if part.dimension == "cloud" else 1
    known = {name.casefold(): name for atom in shares if (name := atom[place])}
    wanted = normalize_provider(part.name) if part.dimension == "cloud" else part.name
    found = known.get(wanted.casefold())
    if found is None:
        raise unknown_value(change.argument, part.dimension, part.name, list(known.values()))
    return found


def _target(change: Change, part: Part, shares: Shares) -> Atom:
    """Return the atom of a part; the cloud of a service if only one has it. A service may be new, and a cloud if it is
    one of the large ones. Raise ApiError for any other cloud."""
    if part.dimension == "cloud":
        cloud, known = normalize_provider(part.name), {*TIME_ZONES, *(atom[0] for atom in shares if atom[0])}
        if cloud not in known:
            raise unknown_value(change.argument, "cloud", part.name, sorted(known))
        return cloud, None
    names = {atom for atom in shares if atom[1] is not None and atom[1].casefold() == part.name.casefold()}
    return names.pop() if len(names) == 1 else (None, part.name)


def new_services(changes: Iterable[ResolvedChange], shares: Shares) -> list[str]:
    """Return the services that changes move costs to, and that have no costs."""
    known = {atom[1] for atom in shares}
    moved_to = [one.target[1] for one in changes if one.change.kind == "move"]
    return [name for name in moved_to if name is not None and name not in known]


def change_days(changes: Sequence[ResolvedChange], shares: Shares, base: Mapping[date, Decimal]) -> list[DayChange]:
    """Return what each change adds to the *base* cost of each day.

    A day's costs are split by *shares*. Changes that have started apply one after another: growth and prices multiply,
    moves take what is left and add it to their target at its cost ratio, and one-off amounts are added.
    """
    found: list[DayChange] = []
    effects: dict[tuple[int, ...], list[tuple[Change, dict[Atom, Decimal]]]] = {}
    for day, cost in base.items():
        active = [one for one in changes if one.change.kind != "one-off" and one.change.starts <= day]
        key = tuple(one.change.index for one in active)
        if key not in effects:
            effects[key] = _apply(active, shares)
        found += [DayChange(change, day, cost, parts) for change, parts in effects[key]]
        found += [
            DayChange(one.change, day, one.change.number, {one.target: ONE})
            for one in changes
            if one.change.kind == "one-off" and one.change.starts == day
        ]
    return found


def _apply(active: Sequence[ResolvedChange], shares: Shares) -> list[tuple[Change, dict[Atom, Decimal]]]:
    """Return what each change adds, as shares of the base cost by atom."""
    costs = dict(shares)
    added = []
    for one in active:
        ratio = one.change.number / 100
        hit = {atom: cost for atom, cost in costs.items() if one.applies(atom)}
        if one.change.kind == "move":
            parts = {atom: -cost for atom, cost in hit.items()}
            parts[one.target] = parts.get(one.target, ZERO) + ratio * sum(hit.values(), ZERO)
        else:
            parts = {atom: ratio * cost for atom, cost in hit.items()}
        for atom, amount in parts.items():
            costs[atom] = costs.get(atom, ZERO) + amount
        added.append((one.change, parts))
    return added


def sum_by_day(days: Iterable[DayChange], counts: Callable[[Atom], bool]) -> dict[date, Decimal]:
    """Return what all changes add to the atoms that *counts* selects, by day."""
    shares: dict[int, Decimal] = {}
    sums: dict[date, Decimal] = {}
    for item in days:
        key = id(item.parts)
        if key not in shares:
            shares[key] = sum((share for atom, share in item.parts.items() if counts(atom)), ZERO)
        sums[item.day] = sums.get(item.day, ZERO) + item.cost * shares[key]
    return sums


def sum_by_change(days: Sequence[DayChange], period: Period, currency: str) -> dict[int, Decimal]:
    """Return what each change adds in a period, by its index, rounded to the currency's minor unit."""
    sums: dict[int, Decimal] = {}
    for index in sorted({item.change.index for item in days}):
        own = sum_by_day([item for item in days if item.change.index == index], lambda atom: True)
        sums[index] = sum((amount for day, amount in own.items() if period.first <= day <= period.last), ZERO)
    return {index: round_amount(amount, currency) for index, amount in sums.items()}
