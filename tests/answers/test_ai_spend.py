"""What AI models cost: the total says what it leaves out, and costs that are not of AI are not denied."""

from __future__ import annotations

from .world import World

SAGEMAKER = "service_description LIKE '%SageMaker%'"


async def test_services_that_are_not_counted_are_named(november: World) -> None:
    answer = await november.ask("ai_spend", period="2026-11")
    cost = november.cost("2026-11-01", "2026-11-28", SAGEMAKER)
    assert answer["notCounted"] == [{"service": "Amazon SageMaker", "cost": cost}] and cost > 0


async def test_costs_without_ai_models_are_not_denied(november: World) -> None:
    for service in ("BigQuery", "Amazon SageMaker"):
        filters = [{"id": "service_description", "type": "fixed", "values": [service]}]
        answer = await november.ask("ai_spend", period="2026-11", filters=filters)
        assert november.cost("2026-11-01", "2026-11-28", "service_description = ?", service) > 0
        assert (answer["total"], answer["note"]) == (0.0, "None of the matching costs are of AI models.")
        assert ("notCounted" in answer) == (service != "BigQuery")


async def test_providers_have_no_price_per_token(november: World) -> None:
    answer = await november.ask("ai_spend", period="2026-11", groupBy="provider")
    assert answer["providers"] and all("costPerMillionTokens" not in row for row in answer["providers"])
    assert all(row["tokens"] > 0 for row in answer["providers"])
