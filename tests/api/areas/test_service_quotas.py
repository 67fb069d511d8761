"""Service Quotas: requests."""

from __future__ import annotations

from doit_mcp.api.operation import Request

from .calling import capture_request


async def test_requests() -> None:
    path = "/core/v1/service-quotas"
    assert await capture_request("service_quotas", "list_service_quotas", {}) == Request("GET", path, {}, None)
    everything = {"cloudProvider": "gcp", "minUtilizationPercent": 0, "maxResults": 200, "pageToken": "t"}
    assert await capture_request("service_quotas", "list_service_quotas", everything) == Request(
        "GET",
        path,
        {"cloudProvider": "gcp", "minUtilizationPercent": "0", "maxResults": "200", "pageToken": "t"},
        None,
    )
