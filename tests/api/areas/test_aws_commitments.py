"""PerfectScale for Commitments and Billing Transfer: requests; handshakes have idempotency keys and external effects."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.operation import Request

from .calling import capture_request

PAYER = "123456789012"
PATH = "/ps4commitments/v1/aws"
ONE = f"{PATH}/organizations/{PAYER}"
TRANSFER = "/billingtransfer/v1"
PAGE, SENT = {"maxResults": 500, "pageToken": "t"}, {"maxResults": "500", "pageToken": "t"}
HANDSHAKES = {
    **{"dpmaId": "d", "sendHandshakes": True},
    "items": [{"resellerCustomerId": "c", "resellerPmaAccountId": PAYER}],
}
MAPPINGS = {
    **{"dpmaId": "d", "resellerPmaAccountId": PAYER},
    "items": [{"ecAccountId": "1", "ecCustomerId": "c", "curBasePath": "s3://b"}],
}


@pytest.mark.parametrize(
    ("name", "arguments", "path", "query"),
    [
        ("list_aws_organizations", PAGE, f"{PATH}/organizations", SENT),
        ("get_aws_organization", {}, ONE, {}),
        ("list_aws_member_accounts", PAGE, f"{ONE}/member-accounts", SENT),
        ("get_aws_member_account", {"memberAccountId": "2" * 12}, f"{ONE}/member-accounts/{'2' * 12}", {}),
        (
            "list_aws_savings_plans",
            {"type": "ec2_instance", "status": "queued", **PAGE},
            f"{ONE}/savings-plans",
            {"type": "ec2_instance", "status": "queued", **SENT},
        ),
        (
            "list_aws_reserved_instances",
            {"status": "retired", "instanceType": "m5.large", "instanceFamily": "m5", "region": "us-east-1"},
            f"{ONE}/reserved-instances",
            {"status": "retired", "instanceType": "m5.large", "instanceFamily": "m5", "region": "us-east-1"},
        ),
        (
            "list_aws_reserved_instances",
            {"offeringClass": "convertible"},
            f"{ONE}/reserved-instances",
            {"offeringClass": "convertible"},
        ),
        ("list_aws_recommendations", {}, f"{ONE}/recommendations", {}),
        (
            "get_aws_recommendation",
            {"serviceId": "database", "granularity": "hour"},
            f"{ONE}/recommendations/database",
            {"granularity": "hour"},
        ),
        (
            "list_aws_planned_purchases",
            {"commitmentType": "compute", **PAGE},
            f"{ONE}/planned-purchases",
            {"service": "compute", **SENT},
        ),
        ("list_aws_organizations_settings", PAGE, f"{PATH}/settings", SENT),
    ],
)
async def test_commitments(name: str, arguments: dict[str, Any], path: str, query: dict[str, str]) -> None:
    expected = arguments if path in (f"{PATH}/organizations", f"{PATH}/settings") else {"managementAccountId": PAYER}
    assert await capture_request("aws_commitments", name, {**expected, **arguments}) == Request(
        "GET", path, query, None
    )


GCP_ACCOUNT = "01A2B3-C4D5E6-F70819"
GCP_ONE = f"/ps4commitments/v1/gcp/billing-accounts/{GCP_ACCOUNT}"


@pytest.mark.parametrize(
    ("area", "name", "arguments", "request_"),
    [
        (
            "gcp_commitments",
            "get_gcp_recommendation",
            {"billingAccountId": GCP_ACCOUNT, "gcp_service": "cloud_sql", "region": "us_east1"},
            Request("GET", f"{GCP_ONE}/recommendations/cloud_sql", {"region": "us_east1"}, None),
        ),
        (
            "gcp_commitments",
            "list_gcp_spend_cuds",
            {"billingAccountId": GCP_ACCOUNT, "status": "active", "gcp_service": "compute", **PAGE},
            Request("GET", f"{GCP_ONE}/spend-based", {"status": "active", "gcp_service": "compute", **SENT}, None),
        ),
        (
            "commitment_policies",
            "get_commitment_policy",
            {"policyId": "own-policy"},
            Request("GET", "/ps4commitments/v1/general/policies/own-policy", {}, None),
        ),
    ],
)
async def test_google_commitments_and_policies(
    area: str, name: str, arguments: dict[str, Any], request_: Request
) -> None:
    assert await capture_request(area, name, arguments) == request_


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        (
            "list_billing_transfer_accounts",
            PAGE,
            Request("GET", f"{TRANSFER}/programmanagementaccounts", SENT, None),
        ),
        (
            "get_billing_transfer_account_status",
            {},
            Request("GET", f"{TRANSFER}/programmanagementaccounts/status", {}, None),
        ),
        (
            "create_billing_transfer_handshakes",
            {"dryRun": True, **HANDSHAKES},
            Request("POST", f"{TRANSFER}/resellerhandshakes", {"dryRun": "true"}, HANDSHAKES),
        ),
        (
            "create_billing_transfer_handshakes",
            HANDSHAKES,
            Request("POST", f"{TRANSFER}/resellerhandshakes", {}, HANDSHAKES),
        ),
        (
            "create_billing_transfer_mappings",
            MAPPINGS,
            Request("POST", f"{TRANSFER}/end-customer-mappings", {}, MAPPINGS),
        ),
        (
            "list_billing_transfer_end_customers",
            {"dpmaId": "d", "resellerPmaAccountId": PAYER, "includeRevoked": False},
            Request(
                "GET",
                f"{TRANSFER}/end-customers",
                {"dpmaId": "d", "resellerPmaAccountId": PAYER, "includeRevoked": "false"},
                None,
            ),
        ),
        (
            "list_reseller_end_customers",
            {"resellerPmaAccountId": "1/2"},
            Request("GET", f"{TRANSFER}/resellers/1%2F2/end-customers", {}, None),
        ),
        (
            "list_billing_transfer_reseller_accounts",
            {},
            Request("GET", f"{TRANSFER}/reseller-accounts", {}, None),
        ),
        (
            "list_billing_transfer_reseller_tenants",
            {"includeRevoked": True},
            Request("GET", f"{TRANSFER}/reseller-accounts/end-customers", {"includeRevoked": "true"}, None),
        ),
    ],
)
async def test_billing_transfer(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("billing_transfer", name, arguments) == request_


def test_only_handshakes_have_idempotency_keys_and_external_effects() -> None:
    rows = AREAS["billing_transfer"].operations
    assert [row.name for row in rows if row.needs_idempotency_key or row.open_world] == [
        "create_billing_transfer_handshakes"
    ]
    assert [row.name for row in rows if not row.read_only] == [row.name for row in rows if row.destructive]
    assert len(rows) == 8 and len(AREAS["aws_commitments"].operations) == 10
    assert all(row.read_only for row in AREAS["aws_commitments"].operations)
