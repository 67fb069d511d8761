"""Resources and templates: URIs, contents, and completion of URIs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.resources import library
from doit_mcp.catalog.resources.resource import ResourceNotFound
from doit_mcp.catalog.skills.collection import QUERY_GUIDE
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller

AT = {resource.uri: resource for resource in library.RESOURCES}


async def read(uri: str, answer: Any, tenant: str = "acme") -> Any:
    api = Recorder(answer)
    api.tenant = tenant
    for template in library.TEMPLATES:
        if (variables := template.match(uri)) is not None:
            content = await template.read(Caller(api), variables)
            break
    else:
        content = await AT[uri].read(Caller(api))
    return json.loads(content["text"]) | {"path": api.requests[0].path}


@pytest.mark.requirement("M52")
def test_resource_uris_are_stable() -> None:
    templates = [f"doit://{name}/{{id}}" for name in ("reports", "budgets", "anomalies", "invoices", "allocations")]
    addresses = [template.uri_template for template in library.TEMPLATES]
    assert {*templates, "doit://dimensions/{type}/{id}"} <= set(addresses) and len(set(addresses)) == len(addresses)
    assert {"doit://customer", "doit://guide/queries"} <= AT.keys()
    for template in library.TEMPLATES:
        assert set(template.completers) == set(template.variables) and template.description.endswith(".")


@pytest.mark.requirement("M20")
@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("doit://reports/a", "/analytics/v1/reports/a"),
        ("doit://budgets/a%2Fb", "/analytics/v1/budgets/a%2Fb"),
        ("doit://anomalies/a", "/anomalies/v1/a"),
        ("doit://invoices/a", "/billing/v1/invoices/a"),
        ("doit://tickets/7", "/support/v1/tickets/7"),
        ("doit://allocations/a", "/analytics/v1/allocations/a"),
        ("doit://incidents/a", "/core/v1/cloudincidents/a"),
        ("doit://dimensions/fixed/a", "/analytics/v1/dimension"),
    ],
)
async def test_reads_a_document(uri: str, path: str) -> None:
    document = await read(uri, {"id": "x", "name": "n"})
    assert document["path"] == path and document["name"] == "n"
    if "dimensions" not in uri:
        assert document["console"].startswith("https://console.example/customers/acme/")


@pytest.mark.requirement("M20", "M104")
@pytest.mark.parametrize("place", ["budgets/..", "tickets/x", "dimensions/odd/x", "budgets/x"])
async def test_unknown_uri_is_not_a_resource(place: str) -> None:
    with pytest.raises(ResourceNotFound):
        await read(f"doit://{place}", ApiError("", kind="missing", status=404))


async def test_other_failures_are_not_masked() -> None:
    with pytest.raises(ApiError) as caught:
        await read("doit://budgets/x", ApiError("", kind="forbidden", status=403))
    assert caught.value.status == 403


def customer(request: Request) -> Any:
    if "validate" in request.path:
        return {"email": "a@acme.example", "domain": "acme.example"}
    return {"name": "Acme", "settings": {"currency": "GBP"}}


async def test_customer_is_passed_on() -> None:
    document = await read("doit://customer", customer)
    assert document["id"] == "acme" and document["customer"]["name"] == "Acme" and document["currency"] == "GBP"
    assert document["user"]["email"] == "a@acme.example"
    alone = await read("doit://customer", customer, tenant="")
    assert alone["id"] is None and alone["currency"] is None and "customer" not in alone
    with pytest.raises(ApiError):
        await read("doit://customer", ApiError("", kind="credential", status=401))


async def test_customer_is_read_once_and_an_unreadable_one_has_no_currency() -> None:
    def without_customer(request: Request) -> Any:
        return customer(request) if "validate" in request.path else ApiError("", kind="forbidden", status=403)

    api = Recorder(customer)
    api.tenant = "acme"
    await AT["doit://customer"].read(Caller(api))
    assert len(api.requests) == 2
    document = await read("doit://customer", without_customer)
    assert document["currency"] is None and [part["part"] for part in document["failed"]] == ["customer"]


async def test_long_documents_are_truncated() -> None:
    rows = [{"n": n, "text": "x" * 50} for n in range(5000)]
    document = json.loads((await library.json_contents({"rows": rows}))["text"])
    assert len(document["rows"]) < 5000 and document["cut"][0]["of"] == 5000
    with pytest.raises(ResourceNotFound):
        await library.json_contents({"text": "x" * (3 * library.MAX_DOCUMENT_CHARACTERS)})


async def test_guide_contains_valid_queries() -> None:
    assert (await AT["doit://guide/queries"].read(Caller(Recorder())))["text"] == QUERY_GUIDE.text
    block = QUERY_GUIDE.text.split("\n\n")[2]
    assert TOOLS["run_query"].argument_problems({"query": json.loads(block)}) == []
    assert AT["doit://guide/queries"].size == len(QUERY_GUIDE.text.encode())


@pytest.mark.requirement("M17")
async def test_uris_are_completed() -> None:
    named = {template.uri_template: template for template in library.TEMPLATES}
    budgets = {"budgets": [{"id": "b1", "budgetName": "Data"}, {"id": "b2", "budgetName": "Web"}]}
    complete = named["doit://budgets/{id}"].completers["id"]
    assert await complete(Caller(Recorder(budgets)), "web", {}) == ["b2"]
    dimensions = named["doit://dimensions/{type}/{id}"].completers
    assert await dimensions["type"](Caller(Recorder()), "gke", {}) == ["gke", "gke_label"]
    api = Recorder({"dimensions": [{"id": "team"}, {"id": "env"}]})
    assert await dimensions["id"](Caller(api), "t", {"type": "label"}) == ["team"]
    assert api.requests[0].query["filter"] == "type:label"
