"""Currencies: customers with their own, amounts that can be paid, and the currency of queries."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.accounts import User, customer_by_id
from doit_mcp.sandbox.api.costs.calendar_days import start_of
from doit_mcp.sandbox.api.costs.money import RATES, to_amount, to_payable_amount

from .conftest import ADMIN, GLOBEX, UMBRA, Party

THIS_MONTH = {"timeInterval": "month", "timeRange": {"mode": "current", "unit": "month"}}


@given(st.integers(-(10**13), 10**13), st.sampled_from(sorted(RATES)))
def test_payable_amounts_are_rounded_to_the_minor_unit(micro: int, currency: str) -> None:
    unit = Decimal(1) if currency == "JPY" else Decimal("0.01")
    exact = Decimal(micro * RATES[currency] // 1_000_000) / 1_000_000
    assert Decimal(repr(to_payable_amount(micro, currency))) == exact.quantize(unit, ROUND_HALF_UP)


@pytest.mark.parametrize(("who", "currency"), [(ADMIN, "USD"), (GLOBEX, "EUR"), (UMBRA, "JPY")])
async def test_customers_have_their_currency(party: Party, who: User, currency: str) -> None:
    customer = await party.get(f"/customers/v1/customers/{who.customer}", who)
    assert customer["settings"]["currency"] == currency
    budgets = (await party.get("/analytics/v1/budgets", who))["budgets"]
    invoices = (await party.get("/billing/v1/invoices", who))["invoices"]
    assert {item["currency"] for item in [*budgets, *invoices]} == {currency}
    if currency == "JPY":
        assert all(item["totalAmount"] == int(item["totalAmount"]) for item in invoices)


@pytest.mark.parametrize(("who", "currency"), [(GLOBEX, "EUR"), (UMBRA, "JPY")])
async def test_queries_are_in_dollars_unless_they_name_a_currency(party: Party, who: User, currency: str) -> None:
    in_dollars, named = await party.cost(who, **THIS_MONTH), await party.cost(who, currency=currency, **THIS_MONTH)
    customer = customer_by_id(who.customer)
    assert customer is not None
    ledger = party.api.tenant(customer).ledger
    micro = ledger.cost(start_of("month", ledger.last), ledger.last)
    assert in_dollars == round(to_amount(micro), 2)
    assert named == round(to_amount(micro, currency), 2)


@pytest.mark.parametrize("who", [ADMIN, GLOBEX, UMBRA], ids=lambda who: who.customer)
@pytest.mark.parametrize(
    ("identifier", "name"),
    [("project_id", "project_name"), ("service_id", "service_description"), ("sku_id", "sku_description")],
)
async def test_names_stand_beside_ids(party: Party, who: User, identifier: str, name: str) -> None:
    group = [{"type": "fixed", "id": item} for item in (identifier, name)]
    # AWS writes prices into the descriptions of SKUs, so only those of Google Cloud have one name.
    clouds = ["google-cloud"] if identifier == "sku_id" else ["amazon-web-services", "google-cloud"]
    filters = [{"type": "fixed", "id": "cloud_provider", "values": clouds}]
    rows = (await party.query(who, group=group, filters=filters, **THIS_MONTH))["rows"]
    assert rows and all(row[0] and row[1] for row in rows)
    names: dict[str, set[str]] = {}
    for row in rows:
        names.setdefault(row[0], set()).add(row[1])
    assert all(len(found) == 1 for found in names.values())


async def test_usage_has_a_unit(party: Party) -> None:
    group = [{"type": "fixed", "id": item} for item in ("sku_id", "pricing_unit")]
    usage = [{"type": "basic", "value": "usage"}]
    rows = (await party.query(group=group, metrics=usage, **THIS_MONTH))["rows"]
    assert sum(row[4] > 0 for row in rows) > 60 and all(row[1] for row in rows if row[4])
