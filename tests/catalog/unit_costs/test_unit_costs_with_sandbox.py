"""Unit cost and AI spend against the sandbox: figures are compared with the ledger's lines and events, summed here."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api

from ..conftest import Ask

AUGUST = (date(2026, 8, 1).toordinal(), date(2026, 8, 31).toordinal())
MICRO = 1_000_000
# What a model's SKUs have in their description, and its services.
MODELS = {
    "Claude Sonnet 4.5": "Claude Sonnet 4.5",
    "Nova Pro": "Nova Pro",
    "Titan Text Embeddings V2": "Titan Text Embeddings V2",
    "Gemini 2.5 Pro": "Gemini 2.5 Pro",
    "Gemini 2.5 Flash": "Gemini 2.5 Flash",
    "gpt-4o 0806": "gpt-4o 0806",
}
TOKENS_PER_UNIT = {"1K tokens": 1_000, "1M tokens": 1_000_000}


def dollars(micro: object) -> Decimal:
    """Return a sum of the ledger in dollars."""
    assert isinstance(micro, int)
    return Decimal(micro) / MICRO


async def test_unit_cost_divides_the_bill_by_the_events(ask: Ask, witness: Api) -> None:
    ledger = witness.tenant(ACME).ledger
    found = await ask("unit_cost", metric="orders", period="2026-08")
    cost = sum((dollars(row[1]) for row in ledger.sums(("cloud_provider",), *AUGUST)), Decimal(0))
    ((orders,),) = ledger.units("orders", (), *AUGUST)
    assert Decimal(str(found["cost"])) == round(cost, 2) and found["units"] == int(orders or 0) / MICRO > 0
    assert found["unitCost"] == pytest.approx(float(cost / (Decimal(int(orders or 0)) / MICRO)), rel=1e-5)


async def test_unit_cost_by_service_adds_up(ask: Ask) -> None:
    found = await ask("unit_cost", metric="orders", period="2026-08", groupBy="service", topN=25)
    assert found["unitsBy"] == "total" and len(found["groups"]) == 25
    assert sum(group["cost"] for group in found["groups"]) + found["other"] == pytest.approx(found["cost"], abs=0.001)


async def test_unit_cost_of_the_running_month_uses_final_days(ask: Ask, witness: Api) -> None:
    found = await ask("unit_cost", metric="customers", period="this_month")
    assert (found["period"]["to"], found["period"]["complete"]) == ("2026-09-18", False)
    ((customers,),) = witness.tenant(ACME).ledger.units(
        "customers", (), date(2026, 9, 1).toordinal(), date(2026, 9, 18).toordinal()
    )
    assert found["units"] == int(customers or 0) / MICRO
    whole = await ask("cost_breakdown", groupBy="cloud", period="2026-09-01/2026-09-18")
    assert found["cost"] == whole["total"]["all"]


async def test_unknown_metric_names_the_datasets_and_what_they_contain(ask: Ask) -> None:
    with pytest.raises(ApiError, match=r'"Orders" \("Business metrics by day: orders'):
        await ask("unit_cost", metric="order")


async def test_ai_spend_by_model_matches_the_bill(ask: Ask, witness: Api) -> None:
    found = await ask("ai_spend", period="2026-08", topN=20)
    rows = witness.tenant(ACME).ledger.sums(("sku_description", "pricing_unit"), *AUGUST)
    assert {row["model"] for row in found["models"]} == set(MODELS)
    for row in found["models"]:
        own = [line for line in rows if MODELS[row["model"]] in str(line[0])]
        assert own and Decimal(str(row["cost"])) == round(sum((dollars(line[2]) for line in own), Decimal(0)), 2)
        tokens = sum(dollars(line[3]) * TOKENS_PER_UNIT[str(line[1])] for line in own)
        assert row["tokens"] == round(tokens) > 0
    assert sum(row["cost"] for row in found["models"]) + found["other"] == pytest.approx(found["total"], abs=0.001)
    assert sum(row["sharePercent"] for row in found["models"]) == pytest.approx(100)


async def test_ai_spend_by_provider_has_the_same_total(ask: Ask) -> None:
    by_model, by_provider = (
        await ask("ai_spend", period="2026-08"),
        await ask("ai_spend", period="2026-08", groupBy="provider"),
    )
    assert by_model["total"] == by_provider["total"] == round(sum(row["cost"] for row in by_provider["providers"]), 2)
    assert {row["provider"] for row in by_provider["providers"]} == {
        "amazon-web-services",
        "google-cloud",
        "microsoft-azure",
    }
    aws = await ask("ai_spend", period="2026-08", cloud="aws")
    assert 0 < aws["total"] < by_model["total"]


async def test_unknown_cloud_is_an_error_and_a_cloud_without_ai_is_explained(ask: Ask) -> None:
    with pytest.raises(ApiError, match="oracle"):
        await ask("ai_spend", cloud="oracle")
    filters = [{"id": "project_id", "type": "fixed", "values": ["444455556666"]}]
    found = await ask("ai_spend", period="2026-08", filters=filters)
    assert found["total"] == 0.0 and found["note"] == "None of the matching costs are of AI models."
