"""Routes compared with the published API document. Other tests validate the responses."""

from __future__ import annotations

from collections import Counter

import pytest

from doit_mcp.sandbox.api.areas import ROUTES
from scripts.published_facts import read_document
from scripts.spec_digest import make_digest
from tests import api_document
from tests.sandbox import missing_routes
from tests.sandbox.missing_routes import describe_missing_routes


def test_routes_match_the_documented_operations() -> None:
    routes = [(route.method, route.path) for route in ROUTES]
    again = [" ".join(route) for route, times in Counter(routes).items() if times > 1]
    assert not again, f"doit_mcp/sandbox/api/areas has several routes for {', '.join(again)}"
    unknown = sorted(" ".join(one) for one in {*routes} - {*api_document.operations()})
    assert not (missing := describe_missing_routes()), "; ".join(missing)
    assert not unknown, f"tests/data/doit-api.json does not have {', '.join(unknown)}: store it with scripts/spec"


def test_missing_routes_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        missing_routes, "ROUTES", [route for route in ROUTES if route.path != "/analytics/v1/labels/{id}"]
    )
    assert [text for text in describe_missing_routes() if '"GET"' in text] == [
        'doit_mcp/sandbox/api/areas/labels.py: add Route("GET", "/analytics/v1/labels/{id}", <handler>, <permission>) to'
        " ROUTES"
    ]


def test_document_lists_the_operations_of_its_digest() -> None:
    digest = make_digest(read_document(api_document.DOCUMENT))
    assert api_document.operations() == [(row["method"], row["path"]) for row in digest] and len(digest) > 100
    assert api_document.operation_of("POST", "/analytics/v1/reports/query")[1] == "/analytics/v1/reports/query"
    assert api_document.operation_of("GET", "/analytics/v1/reports/a%2Fb")[1] == "/analytics/v1/reports/{id}"


def test_detects_invalid_requests() -> None:
    def find_problems(method: str, path: str, body: bytes) -> list[str]:
        return api_document.request_problems(method, path, body)

    assert not find_problems("POST", "/analytics/v1/labels", b'{"name": "n", "color": "blue"}')
    assert not find_problems("GET", "/analytics/v1/labels", b"")
    assert find_problems("POST", "/analytics/v1/labels", b"") == ["the body is missing"]
    assert find_problems("GET", "/analytics/v1/labels", b"{}") == ["there should be no body, not b'{}'"]
    for body in (b'{"name": 1, "color": "blue"}', b'{"name": "n", "color": "blue", "size": 1}', b"[]"):
        assert find_problems("POST", "/analytics/v1/labels", body), body


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
