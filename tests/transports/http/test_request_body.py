"""The HTTP errors for requests that cannot be served."""

from __future__ import annotations

import pytest

from doit_mcp.resilience.limits import LimitExceeded, LimitScope
from doit_mcp.transports.http.request_body import CLOSE_HEADERS, limit_rejection


@pytest.mark.parametrize(("scope", "status"), [("owner", 429), ("server", 503)])
def test_limit_has_the_status_of_its_scope_and_a_delay(scope: LimitScope, status: int) -> None:
    rejected = limit_rejection(LimitExceeded(scope, 1.2, "slow down"))
    assert (rejected.status, str(rejected), rejected.headers) == (status, "slow down", {"Retry-After": "2"})


def test_unread_body_closes_the_connection() -> None:
    rejected = limit_rejection(LimitExceeded("owner", 5, "too large"), CLOSE_HEADERS)
    assert rejected.headers == {"Connection": "close", "Retry-After": "5"} and CLOSE_HEADERS == {"Connection": "close"}
