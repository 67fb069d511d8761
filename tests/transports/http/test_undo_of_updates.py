"""Undo calls of updates: they restore everything that the update removed, and nothing that others changed since."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import Json, Site, serving
from tests.transports.http.test_undo import applied

TERMS: Json = {
    "name": "Full",
    "platform": "amazon-web-services",
    "eligibleFrom": "2026-01-01T00:00:00Z",
    "eligibleTo": "2027-01-01T00:00:00Z",
    "priceBooks": [{"name": "Standard", "rules": [{"name": "Discount", "percentageChange": -3}]}],
}
CHILD, CONTRACT = "U6eAmQoRzZ", "pf8b6xKxU8skznfm4Deu"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API, with all tools."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def prepared_fields(site: Site, name: str, arguments: Json) -> dict[str, Json]:
    """Return the rows of the change that a call prepares, by field."""
    content = (await site.call(name, arguments)).result["structuredContent"]
    return {row["field"]: row for row in content["change"]["fields"]} | {
        "affected": content["change"].get("affected", [])
    }


async def test_replacing_update_of_a_template_lists_and_restores_omitted_terms(site: Site) -> None:
    template = await applied(site, "create_contract_template", TERMS)
    selected = {"templateID": template["templateId"]}
    former = await applied(site, "get_contract_template", selected)
    short = selected | {"name": "Full2"} | {name: TERMS[name] for name in ("platform", "eligibleFrom")}
    rows = await prepared_fields(site, "update_contract_template", short)
    assert rows["eligibleTo"] == {"field": "eligibleTo", "before": TERMS["eligibleTo"], "after": None}
    assert "Standard" in str(rows["priceBooks"]) and rows["priceBooks"]["after"] is None
    done = await applied(site, "update_contract_template", short)
    assert "eligibleTo" not in await applied(site, "get_contract_template", selected)
    await applied(site, done["undo"]["tool"], done["undo"]["arguments"])
    restored = await applied(site, "get_contract_template", selected)
    assert {**restored, "updatedAt": ""} == {**former, "updatedAt": ""}


async def test_new_version_of_a_contract_lists_and_restores_omitted_terms(site: Site) -> None:
    selected = {"customerID": CHILD, "contractID": CONTRACT}
    former = (await applied(site, "get_contract", selected))["versions"][-1]
    short = {**selected, "name": former["name"], "startDate": former["startDate"], "renewalPolicy": "auto"}
    short["doitInvoicingEnabled"] = False
    rows = await prepared_fields(site, "update_contract", short)
    assert {"endDate", "billingProfile", "managementAccounts"} <= rows.keys()
    assert any("invoicesEmail" in line and "none" in line for line in rows["affected"])
    done = await applied(site, "update_contract", short)
    await applied(site, done["undo"]["tool"], done["undo"]["arguments"])
    restored = (await applied(site, "get_contract", selected))["versions"][-1]
    changing = {"version", "status", "effectiveStart", "effectiveEnd"}
    assert {name: value for name, value in restored.items() if name not in changing} == {
        name: value for name, value in former.items() if name not in changing
    }
