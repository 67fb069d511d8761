"""Write operations require the write permission of their area."""

from __future__ import annotations

import re

import pytest

from doit_mcp.sandbox.api.areas import ROUTES
from doit_mcp.sandbox.api.routes import Route

from .conftest import ADMIN, VIEWER, Party

WRITES = [route for route in ROUTES if route.permission not in VIEWER.permissions]


def test_every_write_requires_a_permission_that_viewers_lack() -> None:
    open_to_viewers = {(route.method, route.path) for route in ROUTES if route.method != "GET" and route not in WRITES}
    assert {("POST", "/analytics/v1/reports/query"), ("PUT", "/analytics/v1/settings/active-theme")} <= open_to_viewers
    assert not {
        path
        for _, path in open_to_viewers
        if not path.startswith(
            (
                "/analytics/v1/reports/query",
                "/analytics/v1/reports/actions/run",
                "/analytics/v1/reports/{id}/actions/run",
                "/analytics/v1/reports/operations/",
                "/analytics/v1/settings/active-theme",
                "/ava/",
                "/clouddiagrams/",
            )
        )
    }
    assert {route.permission for route in ROUTES} <= ADMIN.permissions


@pytest.mark.parametrize("route", WRITES, ids=lambda route: f"{route.method} {route.path}")
async def test_viewers_are_rejected(party: Party, route: Route) -> None:
    path = re.sub(r"\{[^}]+\}", "x", route.path)
    answer = await party.send(route.method, path, {}, who=VIEWER)
    assert answer.status == 403, answer
