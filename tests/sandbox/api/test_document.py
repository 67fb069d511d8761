"""The routes against the published document: same methods, same paths. Answers are checked wherever tests ask."""

from __future__ import annotations

import pytest

from doit_mcp.sandbox.api.areas import ROUTES
from tests import doit_document

pytestmark = pytest.mark.skipif(not doit_document.present(), reason=doit_document.ABSENT)


def test_every_route_is_an_operation_of_the_document() -> None:
    routes = [(route.method, route.path) for route in ROUTES]
    assert len(set(routes)) == len(routes)
    assert set(routes) <= set(doit_document.operations())


# Areas whose operations are still to come.
PENDING: tuple[str, ...] = ()


def test_operations_without_a_route_are_of_areas_to_come() -> None:
    known = {(route.method, route.path) for route in ROUTES} | {("GET", "/auth/v1/validate")}
    missing = [one for one in doit_document.operations() if one not in known]
    assert [one for one in missing if not one[1].startswith(PENDING)] == []
    assert [area for area in PENDING if not any(path.startswith(area) for _, path in missing)] == [], "these are there"


def test_the_document_has_what_it_should() -> None:
    assert len(doit_document.operations()) == 170
    assert doit_document.operation_of("POST", "/analytics/v1/reports/query")[1] == "/analytics/v1/reports/query"
    assert doit_document.operation_of("GET", "/analytics/v1/reports/a%2Fb")[1] == "/analytics/v1/reports/{id}"


def test_wrong_answers_are_found() -> None:
    path = "/support/v1/tickets"
    assert not doit_document.problems("GET", path, 200, "application/json", b'{"tickets": [{"id": 1}], "rowCount": 1}')
    for status, kind, body in (
        (200, "application/json", b'{"tickets": [{"id": "1"}]}'),
        (200, "application/json", b'{"tickets": [{"number": 1}]}'),
        (200, "text/plain", b"{}"),
        (418, "application/json", b"{}"),
        (400, "application/json", b'{"message": "x"}'),
    ):
        assert doit_document.problems("GET", path, status, kind, body), (status, kind, body)
