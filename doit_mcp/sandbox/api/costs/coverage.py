"""Commitment coverage: AWS spend eligible for commitments, and the savings on its billing lines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .catalog import SERVICES
from .ledger import Ledger, Selection

# SKUs covered by each type of commitment.
COMMITMENT_TYPES = {
    "BoxUsage:m6i.xlarge": "compute",
    "Lambda-GB-Second": "compute",
    "InstanceUsage:db.r6g.large": "database",
}
INSTANCE_SKU = "BoxUsage:m6i.xlarge"  # the SKU of reserved instances
INSTANCE_PRICE = next(sku.price for service in SERVICES for sku in service.skus if sku.id == INSTANCE_SKU)
# Percent below on-demand rates. The savings on billing lines are lower, because some spend is on demand.
PLAN_DISCOUNT_PERCENT, RESERVED_DISCOUNT_PERCENT = 27, 36
RESERVED_SHARE_PERCENT = 25  # of the savings on production instances, from reservations
COLUMNS = ("billing_account_id", "project_id", "project_name", "region", "label_env", "sku_id", "day_start")


@dataclass(frozen=True, slots=True)
class Spend:
    """Eligible spend in micro-dollars: *list_cost* at on-demand rates, and the savings from plans and reservations."""

    list_cost: int = 0
    plan_savings: int = 0
    reservation_savings: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            self.list_cost + other.list_cost,
            self.plan_savings + other.plan_savings,
            self.reservation_savings + other.reservation_savings,
        )

    @property
    def savings(self) -> int:
        """The savings from all commitments."""
        return self.plan_savings + self.reservation_savings

    @property
    def cost(self) -> int:
        """The cost after savings."""
        return self.list_cost - self.savings

    @property
    def plan_cost(self) -> int:
        """The cost at Savings Plans rates."""
        return self.plan_savings * (100 - PLAN_DISCOUNT_PERCENT) // PLAN_DISCOUNT_PERCENT

    @property
    def reserved_list_cost(self) -> int:
        """The usage covered by reservations, at on-demand rates."""
        return self.reservation_savings * 100 // RESERVED_DISCOUNT_PERCENT

    @property
    def reserved_cost(self) -> int:
        """The cost of the usage covered by reservations."""
        return self.reserved_list_cost - self.reservation_savings

    @property
    def on_demand(self) -> int:
        """The cost of usage without a commitment."""
        return self.cost - self.plan_cost - self.reserved_cost

    @property
    def plan_eligible(self) -> int:
        """The usage that Savings Plans could cover, at on-demand rates."""
        return self.list_cost - self.reserved_list_cost


@dataclass(frozen=True, slots=True)
class MemberAccount:
    """A member account of an organization; *has_reservations* says whether it has reserved instances."""

    organization: str
    id: str
    name: str
    region: str
    has_reservations: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """The member accounts, and their eligible spend by type of commitment, account and day."""

    accounts: tuple[MemberAccount, ...]
    spend: dict[tuple[str, str], dict[int, Spend]]

    def members(self, organization: str) -> list[MemberAccount]:
        """The accounts of an organization, by number."""
        return [item for item in self.accounts if item.organization == organization]

    def daily(self, service: str, accounts: Collection[str], first: int, last: int) -> dict[int, Spend]:
        """The accounts' spend on each day of a range."""
        found = {day: Spend() for day in range(first, last + 1)}
        for account in accounts:
            for day, spend in self.spend.get((service, account), {}).items():
                if first <= day <= last:
                    found[day] += spend
        return found

    def total(self, service: str, accounts: Collection[str], first: int, last: int) -> Spend:
        """The accounts' spend in a range of days."""
        return sum(self.daily(service, accounts, first, last).values(), Spend())


def measure_coverage(ledger: Ledger) -> Coverage:
    """The coverage of a ledger's billing lines."""
    series = frozenset(at for at, sku in ledger.members("series", "sku_id") if sku in COMMITMENT_TYPES)
    accounts: dict[str, MemberAccount] = {}
    spend: dict[tuple[str, str], dict[int, Spend]] = {}
    for *names, day, cost, _, savings in ledger.sums(COLUMNS, ledger.first, ledger.last, Selection(series=series)):
        organization, account, name, region, env, sku = (str(item) for item in names)
        reserves = env == "production"
        accounts[account] = MemberAccount(organization, account, name, region, reserves)
        saved = int(savings or 0)
        reserved = saved * RESERVED_SHARE_PERCENT // 100 if reserves and sku == INSTANCE_SKU else 0
        days = spend.setdefault((COMMITMENT_TYPES[sku], account), {})
        line = Spend(int(cost or 0) + saved, saved - reserved, reserved)
        days[int(day or 0)] = days.get(int(day or 0), Spend()) + line
    return Coverage(tuple(accounts[key] for key in sorted(accounts)), spend)
