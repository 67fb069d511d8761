"""Model of a scenario: how changes alter the expected cost of each future day. Pure computation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from difflib import SequenceMatcher
from typing import NamedTuple

from ...api.errors import ApiError
from ...api.nearest import list_names, nearest_values, unknown_value_error
from ...api.report_config import normalize_provider
from ...protocol.json_schema import short_json
from ..costs.amounts import ZERO, round_amount
from ..costs.scope import Scope
from ..costs.statement import TIME_ZONES
from ..periods.period import Period
from .scenario_changes import KINDS, Change, Part

ONE = Decimal(1)
MISSPELLED_RATIO = 0.9
"""Similarity, from 0 to 1, from which a new name counts as a misspelling of a known one."""
Atom = tuple[str | None, str | None]
"""A cloud and a service, by which costs are split; None where a change does not name one."""
Shares = Mapping[Atom, Decimal]
"""The share of each atom in the costs; together 1."""
ChangeAmounts = Mapping[tuple[int, date], Decimal]
"""What each change, by its index, adds on each day."""


class ResolvedChange(NamedTuple):
    """A change whose parts exist in the data: what it applies to, and the atom that a move or one-off adds to."""

    change: Change
    applies: Callable[[Atom], bool]
    target: Atom = (None, None)


class DayChange(NamedTuple):
    """What one change adds to the expected cost of one day: *cost* times *parts*, by atom.

    Days on which the same changes apply share one object of *parts*.
    """

    change: Change
    day: date
    cost: Decimal
    parts: Mapping[Atom, Decimal]


class SplitCosts(NamedTuple):
    """The expected cost of each day to come (*base*), of one cloud or of all, and the *shares* of its atoms."""

    base: Mapping[date, Decimal]
    shares: Shares


def split_costs(clouds: Sequence[tuple[str | None, Mapping[date, Decimal]]], shares: Shares) -> list[SplitCosts]:
    """Return the expected costs of each of the *clouds* by day, split by the *shares* of its services within it.

    A cloud without shares has one atom.
    """
    if len(clouds) == 1:
        return [SplitCosts(base, shares) for _, base in clouds]
    found = []
    for cloud, base in clouds:
        own = {atom: share for atom, share in shares.items() if atom[0] == cloud}
        total = sum(own.values(), ZERO)
        within: Shares = {atom: share / total for atom, share in own.items()} if total > 0 else {(cloud, None): ONE}
        found.append(SplitCosts(base, within))
    return found


def resolve_changes(changes: Iterable[Change], shares: Shares, scope: Scope) -> list[ResolvedChange]:
    """Return the changes of costs of a *scope* in the order in which they apply.

    A one-off that does not name a part belongs to the cloud of the scope. Raise ApiError for a cloud or service that
    has no costs.
    """
    ordered = sorted(changes, key=lambda change: (KINDS.index(change.kind), change.index))
    return [_resolve(change, shares, scope) for change in ordered]


def _resolve(change: Change, shares: Shares, scope: Scope) -> ResolvedChange:
    at = None if change.of is None else _resolve_name(change, change.of, shares, scope)
    place = None if change.of is None else (0 if change.of.dimension == "cloud" else 1)
    target = _find_target_atom(change, change.to, shares) if change.to is not None else (scope.cloud, None)
    if change.kind == "one-off" and change.of is not None and at is not None:
        target = _find_target_atom(change, Part(change.of.dimension, at), shares)
    return ResolvedChange(change, lambda atom: place is None or atom[place] == at, target)


def _resolve_name(change: Change, part: Part, shares: Shares, scope: Scope) -> str:
    place = 0 if part.dimension == "cloud" else 1
    known = {name.casefold(): name for atom in shares if (name := atom[place])}
    wanted = normalize_provider(part.name) if part.dimension == "cloud" else part.name
    found = known.get(wanted.casefold())
    if found is None:
        raise _absent_part_error(change, part, list(known.values()), scope)
    return found


def _absent_part_error(change: Change, part: Part, known: Sequence[str], scope: Scope) -> ApiError:
    """Return the error for a part without costs, which may be because the arguments select other costs."""
    selecting = [name for name, value in (("cloud", scope.cloud), ("filters", scope.filters)) if value]
    if not selecting:
        return unknown_value_error(change.argument, part.dimension, part.name, known)
    nearest = nearest_values(part.name, known)
    has = f"Did you mean {list_names(nearest)}?" if nearest else f"They have: {list_names(sorted(known))}."
    names = " and ".join(selecting)
    return ApiError(
        f"{change.argument}: the costs that {names} of this call selects have no {part.dimension} "
        f"{short_json(part.name)}. {has} To change other costs, leave out {names}",
        kind="argument",
    )


def _find_target_atom(change: Change, part: Part, shares: Shares) -> Atom:
    """Return the atom of a part, with the cloud of a service if only one has it. A service may be new, and so may one
    of the large clouds. Raise ApiError for any other cloud."""
    if part.dimension == "cloud":
        cloud, known = normalize_provider(part.name), {*TIME_ZONES, *(atom[0] for atom in shares if atom[0])}
        if cloud not in known:
            raise unknown_value_error(change.argument, "cloud", part.name, sorted(known))
        return cloud, None
    names = {atom for atom in shares if atom[1] is not None and atom[1].casefold() == part.name.casefold()}
    if not names:
        _refuse_misspelling(change, part, {atom[1] for atom in shares if atom[1] is not None})
        return None, part.name
    return names.pop() if len(names) == 1 else (None, names.pop()[1])


def _refuse_misspelling(change: Change, part: Part, known: Collection[str]) -> None:
    """Raise ApiError if the name of a service is similar to a known one."""
    nearest = nearest_values(part.name, known, limit=1)
    if nearest and SequenceMatcher(None, nearest[0].casefold(), part.name.casefold()).ratio() >= MISSPELLED_RATIO:
        raise unknown_value_error(change.argument, part.dimension, part.name, nearest)


def find_new_services(changes: Iterable[ResolvedChange], shares: Shares) -> list[str]:
    """Return the services that changes move costs to and that have no costs yet."""
    known = {atom[1] for atom in shares}
    moved_to = [one.target[1] for one in changes if one.change.kind == "move"]
    return [name for name in moved_to if name is not None and name not in known]


def spread_changes(changes: Sequence[ResolvedChange], clouds: Iterable[SplitCosts]) -> list[DayChange]:
    """Return what each change adds to the expected cost of each day.

    Changes that have started apply one after another: growth and prices multiply, moves take what is left and add it to
    their target at its cost ratio, and one-off amounts are added. All but one-offs are computed by cloud.
    """
    lasting = [one for one in changes if one.change.kind != "one-off"]
    found = [
        DayChange(one.change, one.change.starts, one.change.number, {one.target: ONE})
        for one in changes
        if one.change.kind == "one-off"
    ]
    for cloud in clouds:
        effects: dict[tuple[int, ...], list[tuple[Change, dict[Atom, Decimal]]]] = {}
        for day, cost in cloud.base.items():
            active = [one for one in lasting if one.change.starts <= day]
            key = tuple(one.change.index for one in active)
            if key not in effects:
                effects[key] = _apply(active, cloud.shares)
            found += [DayChange(change, day, cost, parts) for change, parts in effects[key]]
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


def amounts_by_change(days: Iterable[DayChange], counts: Callable[[Atom], bool]) -> ChangeAmounts:
    """Return what each change adds to the atoms that *counts* selects."""
    shares: dict[int, Decimal] = {}
    found: dict[tuple[int, date], Decimal] = {}
    for item in days:
        at = id(item.parts)
        if at not in shares:
            shares[at] = sum((share for atom, share in item.parts.items() if counts(atom)), ZERO)
        if shares[at]:
            key = item.change.index, item.day
            found[key] = found.get(key, ZERO) + item.cost * shares[at]
    return found


def sum_changes_by_day(amounts: ChangeAmounts) -> dict[date, Decimal]:
    """Return what all changes add, by day."""
    sums: dict[date, Decimal] = {}
    for (_, day), amount in amounts.items():
        sums[day] = sums.get(day, ZERO) + amount
    return sums


def index_by_day(amounts: ChangeAmounts) -> dict[date, dict[tuple[int, date], Decimal]]:
    """Return the amounts of each day, to look up those of many short periods."""
    found: dict[date, dict[tuple[int, date], Decimal]] = {}
    for (index, day), amount in amounts.items():
        found.setdefault(day, {})[index, day] = amount
    return found


def sum_by_change(amounts: ChangeAmounts, period: Period, currency: str) -> dict[int, Decimal]:
    """Return what each change adds in a period, by its index, rounded to the currency's minor unit.

    All sums of a result are sums of these, so that they add up.
    """
    sums: dict[int, Decimal] = {}
    for (index, day), amount in amounts.items():
        if period.first <= day <= period.last:
            sums[index] = sums.get(index, ZERO) + amount
    return {index: round_amount(amount, currency) for index, amount in sums.items()}
