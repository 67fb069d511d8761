"""Tenant state: ids, limits, and equality for equal seeds."""

from __future__ import annotations

import asyncio

import pytest

from doit_mcp.sandbox.accounts import ACME, GLOBEX
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.responses import ApiError, JsonObject
from doit_mcp.sandbox.api.seeds import analytics_core
from doit_mcp.sandbox.api.seeds.flows import seed_flows
from doit_mcp.sandbox.api.tenants import MAX_RECORDS, Records, add_record, newest_first
from tests.work_counter import MAX_LINES_PER_TURN, count_loop_lines

from .conftest import GLOBEX as GLOBEX_ADMIN
from .conftest import NOON, Party

SEEDS = {
    "budgets": analytics_core.seed_budgets,
    "reports": analytics_core.seed_reports,
    "flows": seed_flows,
    "tickets": analytics_core.seed_tickets,
}


def api(seed: int = 7) -> Api:
    """An API with a fixed clock."""
    return Api(clock=lambda: NOON, seed=seed)


def ids(of: Api, name: str) -> list[str]:
    """The ids of a collection's initial records."""
    return list(of.tenant(ACME).collection(name, SEEDS[name]))


@pytest.mark.parametrize("name", SEEDS)
def test_data_of_a_seed_is_independent_of_request_order(name: str) -> None:
    item, other = api(), api()
    other.tenant(ACME).new_id()
    other.tenant(ACME).collection("reports", analytics_core.seed_reports)
    assert ids(item, name) == ids(other, name)
    assert item.tenant(ACME).collection(name, lambda tenant: ()) is item.tenant(ACME).collection(
        name, lambda tenant: ()
    )


def test_ids_are_opaque_and_unique() -> None:
    first, other = api(), api(8)
    new_ids = [first.tenant(customer).new_id() for customer in (ACME, GLOBEX) for _ in range(100)]
    assert len(set(new_ids)) == 200 and {len(item) for item in new_ids} == {20} and all(map(str.isalnum, new_ids))
    assert first.tenant(ACME).stable_id("a", "b") != other.tenant(ACME).stable_id("a", "b")
    assert first.tenant(ACME).stable_id("a", "b") != first.tenant(GLOBEX).stable_id("a", "b")


def test_record_count_is_bounded() -> None:
    records: Records = {}
    for number in range(MAX_RECORDS):
        add_record(records, {"id": number})
    with pytest.raises(ApiError, match=str(MAX_RECORDS)) as caught:
        add_record(records, {"id": "one more"})
    assert caught.value.status == 409 and len(records) == MAX_RECORDS


def test_newest_objects_come_first() -> None:
    records: list[JsonObject] = [{"id": str(number), "createTime": time} for number, time in enumerate((5, 9, 5, 1))]
    assert [item["id"] for item in newest_first({item["id"]: item for item in records})] == ["1", "2", "0", "3"]


def test_derived_data_is_computed_once_a_day() -> None:
    now = [NOON]
    tenant = Api(clock=lambda: now[0]).tenant(ACME)
    computed: list[int] = []

    def last_day(ledger: object) -> int:
        computed.append(1)
        return tenant.ledger.last

    assert tenant.compute_cached(last_day) == tenant.compute_cached(last_day) and len(computed) == 1
    now[0] += 86_400
    assert tenant.compute_cached(last_day) == tenant.ledger.last and len(computed) == 2


async def test_billing_data_is_built_outside_the_event_loop(party: Party) -> None:
    """Concurrent first requests of two customers wait; the loop does not."""
    query = {"metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month"}
    with count_loop_lines() as lines:
        results = await asyncio.gather(party.query(**query), party.query(**query), party.query(GLOBEX_ADMIN, **query))
    assert results[0] == results[1] != results[2] and lines.longest < MAX_LINES_PER_TURN
