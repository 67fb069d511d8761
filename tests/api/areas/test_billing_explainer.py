"""Billing Explainer: requests."""

from __future__ import annotations

from doit_mcp.api.operation import Request

from .calling import capture_request


async def test_requests() -> None:
    assert await capture_request(
        "billing_explainer", "get_billing_explainer_per_payer", {"invoiceMonth": "2026-01"}
    ) == Request("GET", "/billing/v1/billing-explainers/2026-01", {}, None)
    assert await capture_request(
        "billing_explainer", "get_entity_invoice_explainer", {"billingProfileId": "p_1", "invoiceNumber": "EU-26"}
    ) == Request("GET", "/billing/v1/billing-profiles/p_1/billing-explainers/EU-26", {}, None)
