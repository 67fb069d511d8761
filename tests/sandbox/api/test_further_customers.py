"""Generated customers: created on use, isolated, and evicted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from doit_mcp.sandbox.accounts import ACME, CUSTOMERS, AccountDirectory, User
from doit_mcp.sandbox.api import Api, app
from doit_mcp.sandbox.api.billing_data import SHARED_VARIANTS
from doit_mcp.sandbox.server import run_sandbox

from ..conftest import BASE, SECRET, Clock
from .conftest import ADMIN, EMPLOYEE, Party

COUNT = 50
DIRECTORY = AccountDirectory(COUNT)
LABELS, BUDGETS = "/analytics/v1/labels", "/analytics/v1/budgets"


def user(number: int) -> User:
    """The user of a generated customer."""
    (owner,) = DIRECTORY.users_of(DIRECTORY.customers(len(CUSTOMERS) - 1 + number, len(CUSTOMERS) + number)[0])
    return owner


@pytest.fixture
async def party(clock: Clock) -> AsyncIterator[Party]:
    """A client of a sandbox with generated customers."""
    state = Api(clock=clock, directory=DIRECTORY)
    async with run_sandbox(resource_url=BASE, secret=SECRET, clock=clock, api=state, directory=DIRECTORY) as sandbox:
        async with aiohttp.ClientSession() as http:
            yield Party(sandbox.url, state, http)


async def ids(party: Party, path: str, items: str, who: User) -> set[str]:
    """The ids of the listed items."""
    return {item["id"] for item in (await party.get(path, who))[items]}


async def test_each_customer_has_separate_data(party: Party) -> None:
    # They share their billing lines.
    first, other = user(1), user(1 + SHARED_VARIANTS)
    assert not await ids(party, BUDGETS, "budgets", first) & await ids(party, BUDGETS, "budgets", other)
    created = (await party.send("POST", LABELS, {"name": "Mine", "color": "teal"}, who=first)).json["id"]
    assert created in await ids(party, LABELS, "labels", first) and created not in await ids(
        party, LABELS, "labels", other
    )
    assert "not found" in await party.expect_error(404, "GET", f"{LABELS}/{created}", who=other)
    validated = await party.get("/auth/v1/validate", first)
    assert (validated["domain"], validated["email"]) == ("load-000001.example", first.email)
    users = (await party.get("/iam/v1/users", first))["users"]
    assert [item["email"] for item in users] == [first.email, "newcomer@load-000001.example"]


async def test_figures_are_plausible_and_vary(party: Party) -> None:
    month: dict[str, Any] = {"timeInterval": "month", "timeRange": {"mode": "last", "amount": 1, "unit": "month"}}
    costs = [await party.cost(user(number), **month) for number in range(1, SHARED_VARIANTS + 2)]
    assert costs[0] == costs[-1] and len(set(costs)) == SHARED_VARIANTS and min(costs) > 1000
    assert await party.cost(**month) not in costs
    for number in (1, 2):
        anomalies = (await party.get("/anomalies/v1", user(number)))["anomalies"]
        assert len(anomalies) == 2


async def test_customers_cannot_see_each_other(party: Party) -> None:
    answer = await party.send("GET", BUDGETS, who=user(1), headers={"X-Tenant-Id": user(2).customer})
    assert (answer.status, "tenant_id_mismatch" in answer.json["error"]) == (400, True)
    for caller in (user(1), ADMIN):
        answer = await party.send("GET", BUDGETS, who=caller, headers={"X-Tenant-Id": f"load{COUNT + 1:06}"})
        assert answer.status == 400
    for_them = await party.send("GET", BUDGETS, who=EMPLOYEE, headers={"X-Tenant-Id": user(1).customer})
    assert {item["id"] for item in for_them.json["budgets"]} == await ids(party, BUDGETS, "budgets", user(1))


async def test_slugs_of_generated_customers_are_taken(party: Party) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    for number, status in ((7, 409), (COUNT + 1, 200)):
        body = {"urlSlug": f"load-{number:06}"}
        answer = await party.send("PATCH", f"/customers/v1/customers/{ACME.id}", body, headers=headers)
        assert answer.status == status
    customer = await party.get(f"/customers/v1/customers/{user(7).customer}", user(7))
    assert customer["urlSlug"] == "load-000007"


async def test_cached_data_is_bounded(party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_GENERATED_TENANTS", 2)
    figures = {}
    for number in (1, 2):
        answer = await party.send("POST", LABELS, {"name": "Mine", "color": "teal"}, who=user(number))
        figures[number] = answer.json["id"]
    await party.send("POST", LABELS, {"name": "Mine", "color": "teal"})
    # The first one was used again, so the second one was evicted.
    assert figures[1] in await ids(party, LABELS, "labels", user(1))
    await ids(party, LABELS, "labels", user(3))
    assert figures[1] in await ids(party, LABELS, "labels", user(1))
    assert figures[2] not in await ids(party, LABELS, "labels", user(2))
    assert (await party.get(LABELS, nameContains="Mine"))["labels"], "named customers are never evicted"


async def list_customers(party: Party, status: int = 200, **query: object) -> Any:
    """The response of the customer list."""
    parameters = {name: str(value) for name, value in query.items()}
    async with party.http.get(f"{party.url}/sandbox/customers", params=parameters) as answer:
        assert answer.status == status
        return await answer.json()


async def test_customers_are_listed_as_json(party: Party) -> None:
    body = await list_customers(party)
    assert (body["count"], body["next"], len(body["customers"])) == (len(DIRECTORY), None, COUNT + len(CUSTOMERS))
    page = await list_customers(party, start=1, limit=2)
    assert (page["customers"], page["next"]) == (body["customers"][1:3], 3)
    acme, last = body["customers"][0], body["customers"][-1]
    assert (acme["id"], len(acme["users"])) == (ACME.id, 3)
    (only,) = last["users"]
    validated = await party.get("/auth/v1/validate", user(COUNT))
    assert (validated["domain"], validated["email"]) == (last["domain"], only["email"])
    assert (only["password"], only["api_token"]) == (user(COUNT).password, user(COUNT).api_token)
    for wrong in ({"start": -1}, {"limit": 0}, {"limit": 10_001}, {"start": "x"}):
        assert next(iter(wrong)) in (await list_customers(party, 400, **wrong))["error"]
    async with party.http.get(f"{party.url}/sandbox/customers", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403 and user(1).password not in await answer.text()
