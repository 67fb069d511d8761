"""PerfectScale for Commitments: /ps4commitments/v1/general, policies and where they were chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiohttp import web

from ..commitment_plans import aws_preference
from ..costs.google_commitments import CLOUD_SQL
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds.commitment_policies import seed_policies
from ..tenants import ApiRequest, Records, get_existing
from . import google_commitments, perfect_scale

DETAILS = ("createdTime", "updatedTime")
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


async def list_policies(request: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/general/policies: built-in ones first; rowCount counts all pages."""
    rows = [
        {name: value for name, value in item.items() if name not in DETAILS}
        for item in _policy_records(request).values()
    ]
    page = request.paginate(rows, 50, 500)
    return json_response({"items": page.rows, "pageToken": page.token, "rowCount": len(rows)})


async def get_policy(request: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/general/policies/{policyId}, with its assignments."""
    identifier = request.path_parameter("policyId")
    if not ID_PATTERN.fullmatch(identifier):
        raise bad_request("policyId: letters, digits, _ and - only", field="policyId")
    policy = get_existing(_policy_records(request), identifier, "policy")
    chosen = [item for name, item in _list_assignments(request) if name == identifier]
    return json_response(policy | {"assignments": chosen})


def _policy_records(request: ApiRequest) -> Records:
    return request.tenant.collection("commitment policies", seed_policies)


def _list_assignments(request: ApiRequest) -> Iterator[tuple[str, JsonObject]]:
    """The policy of each account and service, as the settings state it."""
    for organization in perfect_scale.organization_records(request).values():
        for service in perfect_scale.onboarded_services(organization):
            settings = aws_preference(request, organization["id"], service)["settings"]
            yield settings["policy"], _make_assignment("aws", organization["id"], service, None)
    for account in google_commitments.billing_account_records(request).values():
        for key, item in google_commitments.preference_records(request).items():
            number, service, region = key.split()
            if number == account["id"] and service in google_commitments.onboarded_services(account):
                place = google_commitments.api_region(region) if service == CLOUD_SQL else None
                yield item["settings"]["policy"], _make_assignment("gcp", number, service, place)


def _make_assignment(cloud: str, account: str, service: str, region: str | None) -> JsonObject:
    return {"cloud": cloud, "accountId": account, "service": service, "region": region}


ROUTES = (
    Route("GET", "/ps4commitments/v1/general/policies", list_policies, "costs.read"),
    Route("GET", "/ps4commitments/v1/general/policies/{policyId}", get_policy, "costs.read"),
)
