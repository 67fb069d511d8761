"""Google Cloud commitments: spend eligible for committed use discounts, and the savings on its billing lines.

A resource-based commitment is a line of its own in the billing export; the usage that it covers is not billed. Its
savings follow from the on-demand price of the committed cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass

from .estate_types import GOOGLE
from .google_services import GOOGLE_SERVICES
from .ledger import Ledger, Selection

COMPUTE, CLOUD_SQL = "compute", "cloud_sql"
GLOBAL = "global"
SERVICE_NAMES = {COMPUTE: "Compute Engine", CLOUD_SQL: "Cloud SQL"}
FEE_SKU = "A0B1-3C2D-9F10"  # N2 cores for a year
CORE_SKU = "CF4E-A0C7-E3BF"  # N2 cores on demand
PRICES = {sku.id: sku.price for service in GOOGLE_SERVICES for sku in service.skus}
FEE_PRICE, CORE_PRICE = PRICES[FEE_SKU], PRICES[CORE_SKU]
COLUMNS = ("cloud_provider", "billing_account_id", "service_description", "sku_id", "sku_description", "region")


@dataclass(frozen=True, slots=True)
class CommittedSpend:
    """Eligible spend in micro-dollars: usage at on-demand rates, and the fees of resource-based commitments."""

    on_demand: int = 0
    fees: int = 0

    def __add__(self, other: CommittedSpend) -> CommittedSpend:
        return CommittedSpend(*(own + added for own, added in zip(astuple(self), astuple(other), strict=True)))

    @property
    def covered(self) -> int:
        """The on-demand price of the usage that the fees cover."""
        return self.fees * CORE_PRICE // FEE_PRICE

    @property
    def savings(self) -> int:
        """The savings from commitments."""
        return self.covered - self.fees

    @property
    def list_cost(self) -> int:
        """All eligible usage at on-demand rates."""
        return self.on_demand + self.covered

    @property
    def cost(self) -> int:
        """The cost after savings."""
        return self.on_demand + self.fees


Scope = tuple[str, str, str]
"""Billing account, service and region; compute is global."""


@dataclass(frozen=True, slots=True)
class GoogleCommitments:
    """Eligible spend of each scope by day."""

    spend: dict[Scope, dict[int, CommittedSpend]]

    def accounts(self) -> list[str]:
        """The billing accounts, in order."""
        return sorted({account for account, _, _ in self.spend})

    def regions(self, account: str, service: str) -> list[str]:
        """The regions in which an account has eligible spend of a service."""
        return sorted(region for one, kind, region in self.spend if (one, kind) == (account, service))

    def daily(self, account: str, service: str, first: int, last: int, region: str = "") -> dict[int, CommittedSpend]:
        """The spend on each day of a range; in all regions, or in one."""
        days = {day: CommittedSpend() for day in range(first, last + 1)}
        for name in [region] if region else self.regions(account, service):
            for day, spend in self.spend.get((account, service, name), {}).items():
                if first <= day <= last:
                    days[day] += spend
        return days

    def total(self, account: str, service: str, first: int, last: int) -> CommittedSpend:
        """The spend in a range of days."""
        return sum(self.daily(account, service, first, last).values(), CommittedSpend())


def measure_google_commitments(ledger: Ledger) -> GoogleCommitments:
    """The eligible spend on a ledger's billing lines."""
    found: dict[Scope, dict[int, CommittedSpend]] = {}
    for scope, day, spend in _eligible_lines(ledger):
        days = found.setdefault(scope, {})
        days[day] = days.get(day, CommittedSpend()) + spend
    return GoogleCommitments(found)


def _eligible_lines(ledger: Ledger) -> Iterator[tuple[Scope, int, CommittedSpend]]:
    series = frozenset(at for at, value in ledger.members("series", "cloud_provider") if value == GOOGLE)
    rows = ledger.sums((*COLUMNS, "day_start"), ledger.first, ledger.last, Selection(series=series))
    for _, account, service, sku, description, region, day, cost, *_ in rows:
        micros = int(cost or 0)
        if service == SERVICE_NAMES[CLOUD_SQL]:
            yield (str(account), CLOUD_SQL, str(region)), int(day or 0), CommittedSpend(micros)
        elif sku == FEE_SKU:
            yield (str(account), COMPUTE, GLOBAL), int(day or 0), CommittedSpend(fees=micros)
        elif service == SERVICE_NAMES[COMPUTE] and " Instance " in str(description):
            yield (str(account), COMPUTE, GLOBAL), int(day or 0), CommittedSpend(micros)
