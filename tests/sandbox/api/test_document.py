"""Routes compared with the published API document. Other tests validate the responses."""

from __future__ import annotations

from doit_mcp.sandbox.api.app import VALIDATE_PATH
from doit_mcp.sandbox.api.areas import ROUTES
from tests import api_document

# It needs no customer, so it is not an ordinary route.
VALIDATE_OPERATION = ("GET", VALIDATE_PATH)


def test_routes_match_the_documented_operations() -> None:
    routes = [(route.method, route.path) for route in ROUTES]
    assert len(set(routes)) == len(routes)
    assert {*routes, VALIDATE_OPERATION} == set(api_document.operations())


def test_document_is_complete() -> None:
    assert len(api_document.operations()) == 170
    assert api_document.operation_of("POST", "/analytics/v1/reports/query")[1] == "/analytics/v1/reports/query"
    assert api_document.operation_of("GET", "/analytics/v1/reports/a%2Fb")[1] == "/analytics/v1/reports/{id}"


def test_detects_invalid_responses() -> None:
    path = "/support/v1/tickets"
    assert not api_document.problems("GET", path, 200, "application/json", b'{"tickets": [{"id": 1}], "rowCount": 1}')
    for status, kind, body in (
        (200, "application/json", b'{"tickets": [{"id": "1"}]}'),
        (200, "application/json", b'{"tickets": [{"number": 1}]}'),
        (200, "text/plain", b"{}"),
        (418, "application/json", b"{}"),
        (400, "application/json", b'{"message": "x"}'),
    ):
        assert api_document.problems("GET", path, status, kind, body), (status, kind, body)
