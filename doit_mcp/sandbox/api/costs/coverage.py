"""Commitment coverage: AWS spend eligible for commitments, and the savings on its billing lines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple, dataclass

from .coverage_rates import RESERVED_DISCOUNT_PERCENT
from .estate_series import NEGATED, PLANNED, PLANS, RESERVED, RESERVED_SKU
from .estates import SERVICES
from .ledger import Ledger, Selection

# How Savings Plans can cover each SKU.
COMMITMENTS = {sku.id: sku.commitment for service in SERVICES for sku in service.skus if sku.commitment}
PLAN_FEE, RESERVATION_FEE = "SavingsPlanRecurringFee", "RIFee"
# SKUs of the fees; the amortized cost of a fee's line is the part that no usage took up.
FEE_SKUS = {
    **{item.sku_id: commitment for commitment, item in PLANS.items()},
    f"HeavyUsage:{RESERVED_SKU.partition(':')[2]}": COMMITMENTS[RESERVED_SKU].type,
}
INSTANCE_PRICE = next(sku.price for service in SERVICES for sku in service.skus if sku.id == RESERVED_SKU)
COLUMNS = ("billing_account_id", "project_id", "project_name", "region", "sku_id", "cost_type", "day_start")


@dataclass(frozen=True, slots=True)
class Spend:
    """Eligible spend in micro-dollars: all of it, and what plans and reservations cover, at on-demand rates and as paid.

    The unused parts are fees that no usage took up. *plan_price* is what plans would cost that cover all but the reserved
    part.
    """

    list_cost: int = 0
    plan_list_cost: int = 0
    plan_cost: int = 0
    plan_unused: int = 0
    reserved_list_cost: int = 0
    reserved_cost: int = 0
    reserved_unused: int = 0
    plan_price: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(*(own + added for own, added in zip(astuple(self), astuple(other), strict=True)))

    @property
    def plan_fees(self) -> int:
        """The amortized cost of Savings Plans, used or not."""
        return self.plan_cost + self.plan_unused

    @property
    def reservation_fees(self) -> int:
        """The amortized cost of reservations, used or not."""
        return self.reserved_cost + self.reserved_unused

    @property
    def plan_savings(self) -> int:
        """The savings from Savings Plans, net of unused fees."""
        return self.plan_list_cost - self.plan_fees

    @property
    def reservation_savings(self) -> int:
        """The savings from reservations, net of unused fees."""
        return self.reserved_list_cost - self.reservation_fees

    @property
    def savings(self) -> int:
        """The savings from all commitments: cost at on-demand rates minus amortized cost, unused fees included."""
        return self.plan_savings + self.reservation_savings

    @property
    def cost(self) -> int:
        """The cost after savings, unused fees included."""
        return self.list_cost - self.savings

    @property
    def on_demand(self) -> int:
        """The cost of usage without a commitment."""
        return self.list_cost - self.plan_list_cost - self.reserved_list_cost

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
    series = frozenset(at for at, sku in ledger.members("series", "sku_id") if sku in COMMITMENTS or sku in FEE_SKUS)
    accounts: dict[str, MemberAccount] = {}
    spend: dict[tuple[str, str], dict[int, Spend]] = {}
    rows = ledger.sums(COLUMNS, ledger.first, ledger.last, Selection(series=series))
    for organization, account, name, region, sku, kind, day, cost, _, _, amortized in rows:
        key, fee_for = str(account), FEE_SKUS.get(str(sku))
        if fee_for is None:
            reserves = kind == RESERVED or (key in accounts and accounts[key].has_reservations)
            accounts[key] = MemberAccount(str(organization), key, str(name), str(region), reserves)
        commitment = COMMITMENTS.get(str(sku))
        days = spend.setdefault((fee_for or (commitment.type if commitment else ""), key), {})
        line = _make_spend(str(kind), int(cost or 0), int(amortized or 0), commitment.discount if commitment else 0)
        days[int(day or 0)] = days.get(int(day or 0), Spend()) + line
    return Coverage(tuple(accounts[key] for key in sorted(accounts)), spend)


def _make_spend(kind: str, cost: int, amortized: int, discount: int) -> Spend:
    """The spend of a line: usage that a commitment covers counts at its on-demand rate, a fee by its unused part."""
    if kind == NEGATED:
        return Spend()
    if kind == PLANNED:
        return Spend(cost, plan_list_cost=cost, plan_cost=amortized, plan_price=amortized)
    if kind == RESERVED:
        list_cost = amortized * 100 // (100 - RESERVED_DISCOUNT_PERCENT)
        return Spend(list_cost, reserved_list_cost=list_cost, reserved_cost=amortized)
    if kind == PLAN_FEE:
        return Spend(plan_unused=amortized)
    if kind == RESERVATION_FEE:
        return Spend(reserved_unused=amortized)
    return Spend(cost, plan_price=cost * (100 - discount) // 100)
