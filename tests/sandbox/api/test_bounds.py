"""The state of a tenant is bounded, and presets are shared."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import analytics_objects, dataset_events, uploads
from doit_mcp.sandbox.api.responses import ApiError
from doit_mcp.sandbox.api.seeds import customer_account
from doit_mcp.sandbox.api.tenants import MAX_RECORDS, Tenant

from .conftest import Party

REPORT = {"objectId": "x", "objectType": "report"}


@pytest.fixture
def tenant(party: Party) -> Tenant:
    """The state behind the API."""
    return party.api.tenant(ACME)


async def test_preset_allocations_cannot_be_deleted(party: Party, tenant: Tenant) -> None:
    item = next(iter(analytics_objects.list_records(tenant, "allocation").values()))
    item["type"] = "preset"
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert "preset" in await party.expect_error(403, method, f"/analytics/v1/allocations/{item['id']}", body)


async def test_group_is_limited_with_its_rules(party: Party, tenant: Tenant) -> None:
    records = analytics_objects.list_records(tenant, "allocation")
    group = {
        **records,
        **{str(number): {**next(iter(records.values())), "id": str(number)} for number in range(MAX_RECORDS)},
    }
    records.update(dict(list(group.items())[: MAX_RECORDS - 1]))
    component = {"key": "region", "type": "fixed", "values": ["x"], "mode": "is"}
    rules = [{"action": "create", "name": "x", "components": [component], "formula": "A"}]
    body = {"name": "x", "description": "", "rules": rules, "unallocatedCosts": "y"}
    answer = await party.send("POST", "/analytics/v1/allocations", body, declared=False)
    assert (answer.status, len(records)) == (409, MAX_RECORDS - 1)


async def test_label_assignments_are_bounded(party: Party, tenant: Tenant) -> None:
    label = next(item for item in analytics_objects.list_records(tenant, "label").values() if item["type"] == "custom")
    label["objects"] = [{**REPORT, "objectId": str(number)} for number in range(MAX_RECORDS)]
    report = next(iter(analytics_objects.list_records(tenant, "report")))
    path = f"/analytics/v1/labels/{label['id']}/assignments"
    assert str(MAX_RECORDS) in await party.expect_error(400, "POST", path, {"add": [{**REPORT, "objectId": report}]})
    assert len(label["objects"]) == MAX_RECORDS


async def test_contract_versions_are_bounded(party: Party, tenant: Tenant) -> None:
    contracts = tenant.collection("contracts", customer_account.seed_contracts).values()
    contract = next(item for item in contracts if item["customerId"] != ACME.id)
    contract["versions"] *= MAX_RECORDS
    body: dict[str, Any] = {
        "name": "x",
        "startDate": "2026-11-01T00:00:00Z",
        "renewalPolicy": "auto",
        "invoicesEmail": "a@b",
        "contractUpdatesEmail": "a@b",
        "billingProfile": {},
    }
    path = f"/customers/{contract['customerId']}/contracts/{contract['id']}"
    assert str(MAX_RECORDS) in await party.expect_error(400, "POST", path, body)


async def test_stored_events_are_bounded(party: Party, tenant: Tenant) -> None:
    dataset = next(iter(tenant.collection("datasets", customer_account.seed_datasets).values()))
    dataset["events"] = {str(number): 0.0 for number in range(dataset_events.MAX_EVENTS)}
    body = {"events": [{"provider": "x", "time": "2026-11-01T00:00:00Z"}]}
    assert "events" in await party.expect_error(400, "POST", "/datahub/v1/events", body)


def test_file_rows_are_bounded() -> None:
    row = b"2026-11-01T00:00:00Z,a,1\n"
    with pytest.raises(ApiError, match=str(uploads.MAX_ROWS)):
        uploads.parse_events(b"usage_date,label.a,metric.cost\n" + row * (uploads.MAX_ROWS + 1))


async def test_idempotency_keys_are_bounded(party: Party, tenant: Tenant) -> None:
    keys = tenant.collection("idempotency", lambda tenant: ())
    keys.update({str(number): {"digest": "", "response": {}, "time": 9e9} for number in range(MAX_RECORDS)})
    users = tenant.collection("users", customer_account.seed_users).values()
    invited = next(item for item in users if item["status"] == "invited")
    answer = await party.send(
        "POST", f"/iam/v1/users/{invited['id']}/actions/resend", headers={"Idempotency-Key": "one"}
    )
    assert answer.status == 200 and len(keys) == MAX_RECORDS and "0" not in keys
