"""Ids and times have the form of their area."""

from __future__ import annotations

import re
from typing import Any

from doit_mcp.sandbox.accounts import ACME

from .conftest import Party

OPAQUE = re.compile(r"[A-Za-z0-9]{20}")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ANALYTICS = "/analytics/v1"
# Path of the list, members with ids, members with times.
MILLIS = (
    (f"{ANALYTICS}/alerts", "id", "createTime updateTime"),
    (f"{ANALYTICS}/allocations", "id", "createTime updateTime"),
    (f"{ANALYTICS}/budgets", "id", "createTime updateTime startPeriod"),
    (f"{ANALYTICS}/reports", "id", "createTime updateTime"),
    (f"{ANALYTICS}/commitment-manager", "id", "createTime updateTime"),
    ("/anomalies/v1", "id attribution", "startTime"),
    ("/billing/v1/assets", "id", "createTime"),
    ("/billing/v1/invoices", "", "invoiceDate dueDate"),
    ("/core/v1/cloudincidents", "id", "createTime"),
    ("/support/v1/tickets", "", "createTime updateTime"),
)
TEXTS = (
    (f"{ANALYTICS}/annotations", "id", "createTime updateTime timestamp"),
    (f"{ANALYTICS}/labels", "id", "createTime updateTime"),
    (f"{ANALYTICS}/settings/themes", "id", "createTime updateTime"),
    (f"{ANALYTICS}/budget-suggestions", "id", "generatedTime"),
    (f"{ANALYTICS}/folders", "id", ""),
    (f"{ANALYTICS}/commitment-manager", "id", "startDate endDate"),
    ("/billing/v1/contract-templates", "templateId", "createdAt updatedAt eligibleFrom"),
    (f"/customers/{ACME.id}/contracts", "id", "startDate endDate timeCreated"),
    ("/datahub/v1/datasets", "", "lastUpdated"),
    ("/core/v1/service-quotas", "", "observedAt"),
    ("/iam/v1/users", "id roleId organizationId", ""),
    ("/iam/v1/roles", "id", ""),
    ("/iam/v1/organizations", "id", ""),
    ("/insights/v1/results", "", "lastUpdated"),
    ("/cloudflow/v1/flows", "id", "createTime"),
    ("/cloudflow/v1/connections", "connectionId", "createdAt updatedAt"),
    ("/cloudflow/v1/templates", "id", "createTime"),
    ("/ps4commitments/v1/aws/organizations", "", "savingsPlansSyncTime"),
    ("/billingtransfer/v1/programmanagementaccounts", "dpmaId", "createdAt"),
)


async def rows(party: Party, path: str) -> list[Any]:
    """The rows of the list at this path."""
    body = await party.get(path)
    listed = body if isinstance(body, list) else next(item for item in body.values() if isinstance(item, list))
    assert listed, path
    return listed


async def test_every_list_has_consistent_ids_and_times(party: Party) -> None:
    for places, millis in ((MILLIS, True), (TEXTS, False)):
        for path, ids, times in places:
            for row in await rows(party, path):
                assert all(OPAQUE.fullmatch(row[name]) for name in ids.split()), (path, row)
                for time in (row[name] for name in times.split()):
                    ok = isinstance(time, int) and 10**12 < time < 10**13 if millis else RFC3339.fullmatch(time)
                    assert ok, (path, time)
    assert all(isinstance(row["id"], int) for row in await rows(party, "/support/v1/tickets"))
    assert all(re.fullmatch(r"IN\d{9}", row["id"]) for row in await rows(party, "/billing/v1/invoices"))
