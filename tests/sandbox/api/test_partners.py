"""Partners: accounts under shared payers, and drafts of contracts from a template."""

from __future__ import annotations

import pytest

from doit_mcp.sandbox.accounts import ACME, GLOBEX

from ..bodies import TEMPLATE
from .conftest import VIEWER, Party

SHARED = f"/customers/v1/customers/{ACME.id}/shared-payer-accounts"
TEMPLATES = "/billing/v1/contract-templates"


async def test_reassigned_accounts_count_as_mapped(party: Party) -> None:
    payers = (await party.get(f"{SHARED}/payers"))["items"]
    assert [(item["mappedAssets"], item["totalAssets"], item["completed"]) for item in payers] == [
        (1, 3, False),
        (2, 2, True),
    ]
    names = (await party.get(f"{SHARED}/management-accounts"))["items"]
    assert names == [{name: item[name] for name in ("payerId", "payerName")} for item in payers]
    rows = (await party.get(SHARED, managementAccount=payers[0]["payerId"]))["items"]
    assert len(rows) == 3 < len((await party.get(SHARED))["items"])
    child, own = rows[0]["customerId"], rows[1]["customerId"]
    assert own == ACME.id != child
    path = f"{SHARED}/{rows[1]['assetId']}"
    answer = await party.send("PATCH", path, {"customerId": child})
    assert answer.json == {"assetId": rows[1]["assetId"], "customerId": child}
    assert (await party.get(f"{SHARED}/payers"))["items"][0]["mappedAssets"] == 2
    assert (await party.send("PATCH", path, {"customerId": own})).status == 200
    assert (await party.get(SHARED))["items"][1] == rows[1]


async def test_accounts_stay_with_the_partner_and_its_customers(party: Party) -> None:
    asset = (await party.get(SHARED))["items"][0]["assetId"]
    assert "customerId" in await party.expect_error(400, "PATCH", f"{SHARED}/{asset}", {"customerId": GLOBEX.id})
    await party.expect_error(400, "PATCH", f"{SHARED}/{asset}", {})
    await party.expect_error(404, "PATCH", f"{SHARED}/none", {"customerId": ACME.id})
    await party.expect_error(403, "GET", SHARED.replace(ACME.id, GLOBEX.id))
    await party.expect_error(403, "GET", SHARED, who=VIEWER)


async def test_assigned_template_makes_a_draft_for_each_customer(party: Party) -> None:
    child = (await party.get(SHARED))["items"][0]["customerId"]
    template = (await party.send("POST", TEMPLATES, TEMPLATE)).json["templateId"]
    path = f"{TEMPLATES}/{template}/actions/assign"
    answer = await party.send("POST", path, {"customerIds": [child, child]})
    assert answer.status == 201 and answer.json["count"] == 1
    (made,) = answer.json["createdContracts"]
    contract = await party.get(f"/customers/{child}/contracts/{made['contractId']}")
    assert (contract["status"], contract["name"]) == ("draft", TEMPLATE["name"])
    again = (await party.send("POST", path, {"customerIds": [child]})).json["createdContracts"][0]
    assert again["contractId"] != made["contractId"]


@pytest.mark.parametrize(
    ("change", "body", "status"),
    [
        ({}, {"customerIds": []}, 400),
        ({}, {"customerIds": ["x"] * 251}, 400),
        ({}, {"customerIds": [GLOBEX.id]}, 404),
        ({"eligibleFrom": "2027-01-01T00:00:00Z"}, {"customerIds": ["x"]}, 409),
        ({"eligibleTo": "2026-11-20T00:00:00Z"}, {"customerIds": ["x"]}, 409),
    ],
)
async def test_templates_that_cannot_be_assigned(
    party: Party, change: dict[str, str], body: dict[str, list[str]], status: int
) -> None:
    template = (await party.send("POST", TEMPLATES, {**TEMPLATE, **change})).json["templateId"]
    await party.expect_error(status, "POST", f"{TEMPLATES}/{template}/actions/assign", body)


async def test_archived_template_cannot_be_assigned(party: Party) -> None:
    template = (await party.send("POST", TEMPLATES, TEMPLATE)).json["templateId"]
    await party.send("DELETE", f"{TEMPLATES}/{template}")
    await party.expect_error(409, "POST", f"{TEMPLATES}/{template}/actions/assign", {"customerIds": ["x"]})
