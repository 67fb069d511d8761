"""Anomaly detection: days with far higher cost of a project's service than on the same weekday of previous weeks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from .estate_series import NEGATED, PLANNED, RESERVED, USAGE_TYPES
from .estate_types import MICROS_PER_CENT
from .ledger import Ledger, Selection

HISTORY_WEEKS = 4  # of history that define the normal cost
TOLERANCE = 1.4  # of the normal cost, up to which a day is normal
MIN_EXCESS = 40_000_000  # micro-dollars above the normal range; smaller anomalies are ignored
WARNING_EXCESS, CRITICAL_EXCESS = (
    300_000_000,
    800_000_000,
)  # micro-dollars in total, above which the severity rises
SEVERITIES = ("information", "warning", "critical")
PLACE_COLUMNS = ("cloud_provider", "billing_account_id", "project_id", "project_name", "service_id")


class Place(NamedTuple):
    """A project's service."""

    provider: str
    billing_account: str
    project: str
    project_name: str
    service: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Costs of a project's service above their normal range on the days *first* to *last*, in micro-dollars."""

    place: Place
    first: int
    last: int
    actual: int
    normal: int

    @property
    def excess(self) -> int:
        """The cost above the normal range."""
        return self.actual - self.normal

    @property
    def severity(self) -> str:
        """One of SEVERITIES, by the excess."""
        return SEVERITIES[(self.excess >= WARNING_EXCESS) + (self.excess >= CRITICAL_EXCESS)]


def detect_anomalies(ledger: Ledger) -> list[Anomaly]:
    """All anomalies of a ledger, oldest first."""
    costs: dict[Place, dict[int, int]] = {}
    for row in ledger.sums((*PLACE_COLUMNS, "day_start"), ledger.first, ledger.last, _usage_lines(ledger)):
        of_place = costs.setdefault(Place(*map(str, row[: len(PLACE_COLUMNS)])), {})
        of_place[int(row[len(PLACE_COLUMNS)] or 0)] = int(row[len(PLACE_COLUMNS) + 1] or 0)
    found = [item for place, daily in costs.items() for item in _place_anomalies(place, daily, ledger)]
    return sorted(found, key=lambda item: (item.first, item.place))


def sku_costs(ledger: Ledger, anomaly: Anomaly) -> list[tuple[str, int]]:
    """The cost of each SKU of an anomaly on its days, highest first."""
    columns = ("project_id", "service_id", "sku_id", "sku_description")
    rows = ledger.sums(columns, anomaly.first, anomaly.last, _usage_lines(ledger))
    target = (anomaly.place.project, anomaly.place.service)
    costs: dict[str, int] = {}
    names: dict[str, tuple[int, str]] = {}
    for *place, sku, name, cost, _, _, _ in rows:
        if tuple(place) == target:
            costs[str(sku)] = costs.get(str(sku), 0) + int(cost or 0)
            # What commitments cover has lines of its own, with other descriptions.
            names[str(sku)] = max(names.get(str(sku), (0, "")), (int(cost or 0), str(name)))
    return sorted(((names[sku][1], cost) for sku, cost in costs.items()), key=lambda item: -item[1])


def _usage_lines(ledger: Ledger) -> Selection:
    """The lines of usage. Fees and taxes are billed on one day, but that is expected."""
    kinds = {*USAGE_TYPES.values(), PLANNED, NEGATED, RESERVED}
    return Selection(frozenset(series for series, kind in ledger.members("series", "cost_type") if kind in kinds))


def _place_anomalies(place: Place, daily: Mapping[int, int], ledger: Ledger) -> list[Anomaly]:
    found: list[Anomaly] = []
    for day in range(ledger.first + 7 * HISTORY_WEEKS, ledger.last + 1):
        normal = _normal_limit(daily, day)
        actual = daily.get(day, 0)
        if normal is None or actual - normal < MIN_EXCESS:
            continue
        if found and found[-1].last == day - 1:
            # Consecutive days are one anomaly.
            before = found.pop()
            found.append(Anomaly(place, before.first, day, before.actual + actual, before.normal + normal))
        else:
            found.append(Anomaly(place, day, day, actual, normal))
    return found


def _normal_limit(daily: Mapping[int, int], day: int) -> int | None:
    """The upper limit of the normal cost on the day; None if the history is too short."""
    before = [daily.get(day - 7 * week, 0) for week in range(1, HISTORY_WEEKS + 1)]
    if not all(before):
        return None
    usual = median(before)
    return round(TOLERANCE * usual / MICROS_PER_CENT) * MICROS_PER_CENT
