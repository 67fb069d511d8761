"""Anomalies: days on which a project's service costs far more than on the same weekday of the weeks before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from .ledger import Ledger
from .usage_series import MICROS_PER_CENT

HISTORY_WEEKS = 4  # of history that tell what is usual
TOLERANCE = 1.4  # how far above the usual a day may be
MIN_EXCESS = 25_000_000  # micro-dollars: less than this above the normal range of a day is nobody's concern
WARNING_EXCESS, CRITICAL_EXCESS = (
    300_000_000,
    800_000_000,
)  # micro-dollars in all from which on it is more than information
SEVERITIES = ("information", "warning", "critical")
PLACE_COLUMNS = ("cloud_provider", "billing_account_id", "project_id", "project_name", "service_id")


class Place(NamedTuple):
    """Where spend happens: a project's service."""

    provider: str
    billing_account: str
    project: str
    project_name: str
    service: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Spend of a project's service above its normal range on the days *first* to *last*; amounts in micro-dollars."""

    place: Place
    first: int
    last: int
    actual: int
    normal: int

    @property
    def excess(self) -> int:
        """What it cost above the normal range."""
        return self.actual - self.normal

    @property
    def severity(self) -> str:
        """One of SEVERITIES, by the excess."""
        return SEVERITIES[(self.excess >= WARNING_EXCESS) + (self.excess >= CRITICAL_EXCESS)]


def detect_anomalies(ledger: Ledger) -> list[Anomaly]:
    """All anomalies of a ledger, oldest first."""
    costs: dict[Place, dict[int, int]] = {}
    for row in ledger.sums((*PLACE_COLUMNS, "day_start"), ledger.first, ledger.last):
        of_place = costs.setdefault(Place(*map(str, row[: len(PLACE_COLUMNS)])), {})
        of_place[int(row[len(PLACE_COLUMNS)] or 0)] = int(row[len(PLACE_COLUMNS) + 1] or 0)
    found = [one for place, daily in costs.items() for one in _place_anomalies(place, daily, ledger)]
    return sorted(found, key=lambda one: (one.first, one.place))


def sku_costs(ledger: Ledger, anomaly: Anomaly) -> list[tuple[str, int]]:
    """What the SKUs of an anomaly cost on its days, dearest first."""
    rows = ledger.sums(("project_id", "service_id", "sku_description"), anomaly.first, anomaly.last)
    wanted = (anomaly.place.project, anomaly.place.service)
    return sorted(((str(row[2]), int(row[3] or 0)) for row in rows if row[:2] == wanted), key=lambda one: -one[1])


def _place_anomalies(place: Place, daily: Mapping[int, int], ledger: Ledger) -> list[Anomaly]:
    found: list[Anomaly] = []
    for day in range(ledger.first + 7 * HISTORY_WEEKS, ledger.last + 1):
        normal = _normal_limit(daily, day)
        actual = daily.get(day, 0)
        if actual - normal < MIN_EXCESS:
            continue
        if found and found[-1].last == day - 1:
            # Days in a row are one anomaly.
            before = found.pop()
            found.append(Anomaly(place, before.first, day, before.actual + actual, before.normal + normal))
        else:
            found.append(Anomaly(place, day, day, actual, normal))
    return found


def _normal_limit(daily: Mapping[int, int], day: int) -> int:
    """The most that the day should cost."""
    usual = median(daily.get(day - 7 * week, 0) for week in range(1, HISTORY_WEEKS + 1))
    return round(TOLERANCE * usual / MICROS_PER_CENT) * MICROS_PER_CENT
