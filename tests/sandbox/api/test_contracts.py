"""Contracts of a customer and of its own customers, and contract templates."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.accounts import GLOBEX as GLOBEX_CUSTOMER
from doit_mcp.sandbox.api.seeds.customer_account import child_customers

from ..conftest import Clock
from .conftest import EMPLOYEE, GLOBEX, VIEWER, Party

TEMPLATES = "/billing/v1/contract-templates"
CONTRACT: dict[str, Any] = {
    "name": "Resale",
    "startDate": "2026-11-01T00:00:00Z",
    "endDate": None,
    "renewalPolicy": "auto",
    "invoicesEmail": "a@acme.example",
    "contractUpdatesEmail": "b@acme.example",
    "billingProfile": {"name": "A"},
}
TEMPLATE: dict[str, Any] = {
    "name": "Mine",
    "platform": "amazon-web-services",
    "eligibleFrom": "2026-11-01T00:00:00Z",
    "priceBooks": [{"name": "x", "rules": [{"percentageChange": -1.5}]}],
}
ACME_CONTRACTS = f"/customers/{ACME.id}/contracts"


def of_child(party: Party) -> str:
    """The path of the contracts of a child customer."""
    return f"/customers/{next(iter(child_customers(party.api.tenant(ACME))))}/contracts"


async def create(party: Party, path: str, **body: object) -> str:
    """The path of a new contract."""
    answer = await party.send("POST", path, {**CONTRACT, **body})
    assert answer.status == 201, answer
    assert (answer.json["status"], answer.json["version"]) == ("draft", 1)
    return f"{path}/{answer.json['contractId']}"


async def test_contract_lifecycle(party: Party, clock: Clock) -> None:
    path = of_child(party)
    before = await party.get(path)
    contract = await create(party, path)
    details = await party.get(contract)
    versions = details.pop("versions")
    assert (await party.get(path))[-1] == details and len(await party.get(path)) == len(before) + 1
    assert [item["version"] for item in versions] == [1] and versions[0]["billingProfile"] == {"name": "A"}
    assert (await party.send("POST", f"{contract}/activate")).json["status"] == "active"
    changed = (await party.send("POST", contract, {**CONTRACT, "name": "Better"})).json
    assert (changed["version"], changed["status"]) == (2, "active")
    full_details = await party.get(contract)
    assert (full_details["name"], full_details["currentVersionNumber"]) == ("Better", 2)
    assert [item["status"] for item in full_details["versions"]] == ["superseded", "active"]
    assert (
        full_details["versions"][0]["effectiveEnd"]
        == full_details["versions"][1]["effectiveStart"]
        == "2026-11-24T12:00:00Z"
    )
    assert (await party.send("POST", f"{contract}/cancel", {"reason": "Over"})).json["status"] == "cancelled"
    assert (await party.get(contract))["versions"][-1]["cancellationReason"] == "Over"
    for tail, body in (("/cancel", None), ("/activate", None), ("", CONTRACT)):
        assert "cancelled" in await party.expect_error(400, "POST", contract + tail, body)


async def test_contracts_follow_the_calendar(party: Party, clock: Clock) -> None:
    path = of_child(party)
    times = {"startDate": "2026-11-25T00:00:00Z", "endDate": "2026-11-26T00:00:00+00:00"}
    contract, other = await create(party, path, **times), await create(party, path)
    assert (await party.send("POST", f"{contract}/activate")).json["status"] == "scheduled"
    clock.advance(86_400)
    assert (await party.get(contract))["status"] == "active"
    refused = await party.send("POST", f"{other}/activate")
    assert (refused.status, refused.body) == (409, b"")
    clock.advance(86_400)
    assert (await party.get(contract))["versions"][-1]["status"] == "expired"
    assert (await party.send("POST", f"{other}/activate")).json["status"] == "active"
    assert (await party.send("POST", f"{other}/cancel")).status == 200


async def test_only_the_direct_parent_writes(party: Party) -> None:
    seeded = (await party.get(ACME_CONTRACTS))[0]
    path = f"{ACME_CONTRACTS}/{seeded['id']}"
    for place, body in (
        (ACME_CONTRACTS, CONTRACT),
        (path, CONTRACT),
        (f"{path}/activate", None),
        (f"{path}/cancel", None),
    ):
        assert "parent" in await party.expect_error(403, "POST", place, body)
    answer = await party.send("POST", path, CONTRACT, who=EMPLOYEE)
    assert (answer.status, answer.json["version"]) == (200, 2)
    for user, place in ((GLOBEX, ACME_CONTRACTS), (GLOBEX, of_child(party)), (VIEWER, ACME_CONTRACTS)):
        assert await party.expect_error(403, "GET", place, who=user)
    assert await party.get(f"/customers/{GLOBEX_CUSTOMER.id}/contracts", GLOBEX)
    child = of_child(party)
    for method, tail, body in (
        ("GET", "", None),
        ("POST", "", CONTRACT),
        ("POST", "/activate", None),
        ("POST", "/cancel", None),
    ):
        for identifier in ("nothing", seeded["id"]):
            assert "not found" in await party.expect_error(404, method, f"{child}/{identifier}{tail}", body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"startDate": "soon"}, "startDate"),
        ({"endDate": "2026-10-31T00:00:00Z"}, "endDate"),
        ({"renewalPolicy": "x"}, "renewalPolicy"),
        ({"invoicesEmail": "x"}, "invoicesEmail"),
        ({"type": "x"}, "type"),
        ({"billingProfile": []}, "billingProfile"),
        ({"priceBooks": [1]}, "priceBooks"),
    ],
)
async def test_contract_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    path = of_child(party)
    assert field in await party.expect_error(400, "POST", path, {**CONTRACT, **body})
    contract = f"{path}/{(await party.get(path))[0]['id']}"
    before = await party.get(contract)
    assert field in await party.expect_error(400, "POST", contract, {**CONTRACT, **body})
    assert await party.get(contract) == before


async def test_contracts_without_invoices_from_doit(party: Party) -> None:
    path = of_child(party)
    terms = {name: CONTRACT[name] for name in ("name", "startDate", "renewalPolicy")}
    assert "invoicesEmail" in await party.expect_error(400, "POST", path, terms)
    created = await party.send("POST", path, {**terms, "doitInvoicingEnabled": False})
    details = await party.get(f"{path}/{created.json['contractId']}")
    assert details["doitInvoicingEnabled"] is False and "invoicesEmail" not in details["versions"][0]


async def test_contracts_copy_the_terms_of_a_template(party: Party) -> None:
    path = of_child(party)
    template = (await party.send("POST", TEMPLATES, TEMPLATE)).json
    contract = await create(party, path, templateId=template["templateId"])
    assert (await party.get(contract))["versions"][0]["priceBooks"] == TEMPLATE["priceBooks"]
    for wrong in ({"templateId": "x"}, {"templateId": template["templateId"], "priceBooks": []}):
        assert "templateId" in await party.expect_error(400, "POST", path, {**CONTRACT, **wrong})
    assert "templateId" in await party.expect_error(400, "POST", contract, {**CONTRACT, "templateId": "x"})


async def test_template_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(TEMPLATES)
    answer = await party.send("POST", TEMPLATES, TEMPLATE)
    template = answer.json
    assert (answer.status, template["status"], template["structure"]) == (201, "active", "blank")
    assert await party.get(TEMPLATES) == [*before, template]
    path = f"{TEMPLATES}/{template['templateId']}"
    clock.advance(1)
    body = {**TEMPLATE, "structure": "discount", "eligibleTo": "2027-01-01T00:00:00Z", "priceBooks": None}
    changed = (await party.send("PUT", path, body)).json
    assert (changed["priceBooks"], changed["structure"], changed["createdAt"]) == (
        [],
        "discount",
        template["createdAt"],
    )
    assert await party.get(path) == changed
    assert "eligibleTo" not in (await party.send("PUT", path, TEMPLATE)).json, "it replaces everything"
    assert "name" in await party.expect_error(409, "POST", TEMPLATES, TEMPLATE)
    archived = (await party.send("DELETE", path)).json
    assert (archived["status"], archived["archivedAt"]) == ("archived", "2026-11-24T12:00:01Z")
    assert await party.get(path) == archived
    for method, payload in (("PUT", TEMPLATE), ("DELETE", None)):
        assert "archived" in await party.expect_error(409, method, path, payload)
        assert "not found" in await party.expect_error(404, method, f"{TEMPLATES}/nothing", payload)
    assert "not found" in await party.expect_error(404, "GET", f"{TEMPLATES}/nothing")
    assert (await party.send("POST", TEMPLATES, TEMPLATE)).status == 201, "the name is available again"
    early = {"eligibleTo": "2020-01-01T00:00:00Z"}
    for wrong, field in (
        (early, "eligibleTo"),
        ({"eligibleFrom": "x"}, "eligibleFrom"),
        ({"platform": ""}, "platform"),
        ({"priceBooks": [{"x": 1}]}, "priceBooks.0"),
    ):
        assert field in await party.expect_error(400, "POST", TEMPLATES, {**TEMPLATE, "name": "Other", **wrong})
