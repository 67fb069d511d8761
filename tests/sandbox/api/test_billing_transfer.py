"""AWS billing transfer: a distributor with its resellers, and a reseller with its end customers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME, User
from doit_mcp.sandbox.accounts import GLOBEX as GLOBEX_CUSTOMER
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.areas.billing_transfer import ROUTES
from doit_mcp.sandbox.api.costs.estates import ACME_ESTATE, GLOBEX_ESTATE
from doit_mcp.sandbox.api.routes import Route
from doit_mcp.sandbox.api.seeds import cloud_accounts
from doit_mcp.sandbox.api.tenants import MAX_RECORDS
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import OTHER_USER, serving

from ..conftest import Clock
from .conftest import ADMIN, EMPLOYEE, GLOBEX, VIEWER, Party

PATH = "/billingtransfer/v1"
ROOTS = f"{PATH}/programmanagementaccounts"
SHAKES, MAPPINGS = f"{PATH}/resellerhandshakes", f"{PATH}/end-customer-mappings"
CLIENTS, OWN = f"{PATH}/end-customers", f"{PATH}/reseller-accounts"
NEW, OTHER = "700000000001", "700000000002"
HOUR, DAY = 3600, 86_400


async def problem_of(party: Party, status: int, method: str, path: str, body: object = None, **options: Any) -> Any:
    """An error response in the shape of this area."""
    answer = await party.send(method, path, body, **options)
    assert answer.status == status, answer
    error = answer.json
    assert error["status"] == status and error["code"].startswith("billing-transfer.") and error["detail"], error
    return error


async def send_batch(party: Party, key: str, items: list[Any], **options: Any) -> Any:
    """The response to a distributor's batch, for its first account by default."""
    root = options.pop("root", None) or (await party.get(ROOTS))["items"][0]["dpmaId"]
    body = {"dpmaId": root, "items": items, **options.pop("more", {"sendHandshakes": True})}
    return await party.send("POST", SHAKES, body, headers={"Idempotency-Key": key} if key else {}, **options)


async def batch_results(party: Party, key: str, items: list[Any], **options: Any) -> Any:
    """The results of such a batch, after checking their counts."""
    answer = await send_batch(party, key, items, **options)
    assert answer.status == 200, answer
    body = answer.json
    statuses = [item["status"] for item in body["results"]]
    assert body["summary"] == {name: statuses.count(name) for name in body["summary"]}
    assert sum(body["summary"].values()) == len(items)
    return body["results"]


async def tenants(party: Party) -> dict[str, Any]:
    """All resellers of the distributor by account number, with the account above each."""
    return {
        item["resellerPmaAccountId"]: {**item, "above": root["dpmaId"]}
        for root in (await party.get(ROOTS))["items"]
        for item in root["tenants"]
    }


async def reseller(party: Party, at: int = 0) -> str:
    """The customer id of one of the distributor's resellers."""
    customer_id: str = [item["customerId"] for item in (await tenants(party)).values()][at]
    return customer_id


def item(account: str, customer: str) -> dict[str, str]:
    """A reseller in a batch."""
    return {"resellerCustomerId": customer, "resellerPmaAccountId": account}


async def test_distributor_accounts(party: Party) -> None:
    roots = (await party.get(ROOTS))["items"]
    assert roots == await party.walk(ROOTS, "items", 1) and len(roots) == 2
    assert roots[0]["accountId"] == ACME_ESTATE.projects[0].billing_account
    for item in roots:
        counts = dict(item["handshakeStatus"])
        assert counts.pop("total") == len(item["tenants"]) == sum(counts.values())
        assert {tenant["parentTenant"] for tenant in item["tenants"]} == {ACME.id}
    assert [(item["iamStatus"], item["iamDiff"] is None) for item in roots] == [("valid", True), ("drift", False)]
    states = (await party.get(f"{ROOTS}/status"))["items"]
    for state, item in zip(states, roots, strict=True):
        fields = ("dpmaId", "accountId", "iamStatus", "iamDiff", "createdAt")
        assert {name: state[name] for name in fields} == {name: item[name] for name in fields}
    assert await party.get(ROOTS, EMPLOYEE, customerContext=ACME.id) == await party.get(ROOTS)
    assert "maxResults" in await party.expect_error(400, "GET", ROOTS, maxResults=0)
    assert "pageToken" in await party.expect_error(400, "GET", ROOTS, pageToken="x")


async def test_handshake_is_answered_before_its_deadline(party: Party, clock: Clock) -> None:
    before = await tenants(party)
    customer = await reseller(party)
    [handshake] = await batch_results(party, "one", [item(NEW, customer)])
    assert handshake["status"] == "handshake_issued" and handshake["handshakeState"] == "open"
    tenant = (await tenants(party))[NEW]
    assert (tenant["status"], tenant["handshakeState"], tenant["effectiveTime"]) == ("handshake_pending", "open", None)
    assert {name: value for name, value in (await tenants(party)).items() if name != NEW} == before
    clock.advance(2 * HOUR - 1)
    assert (await tenants(party))[NEW]["handshakeState"] == "open"
    clock.advance(1)
    tenant = (await tenants(party))[NEW]
    assert (tenant["status"], tenant["effectiveTime"]) == ("cur_export_waiting", "2026-11-24T14:00:00Z")
    assert tenant["handshakeState"] == "accepted"
    clock.advance(DAY)
    assert (await tenants(party))[NEW]["status"] == "active"
    assert (await batch_results(party, "two", [item(NEW, customer)]))[0]["status"] == "no_op"


async def test_item_outcomes(party: Party) -> None:
    tenants_after = await tenants(party)
    first, second = [root["dpmaId"] for root in (await party.get(ROOTS))["items"]]
    declined = next(tenant for tenant in tenants_after.values() if tenant["handshakeState"] == "declined")
    customer, other = await reseller(party, 0), await reseller(party, 1)
    accepted = next(tenant for tenant in tenants_after.values() if tenant["customerId"] == customer)[
        "resellerPmaAccountId"
    ]
    account = (await party.get(ROOTS))["items"][0]["accountId"]
    again = item(declined["resellerPmaAccountId"], declined["customerId"])
    batch = [
        item(NEW, customer),
        item(accepted, customer),
        item(OTHER, GLOBEX_CUSTOMER.id),
        item(account, customer),
        again,
    ]
    results = await batch_results(party, "map", batch, more={})
    assert [outcome["status"] for outcome in results] == ["mapped", "no_op", "failed", "failed", "remapped"]
    assert [outcome["error"]["code"] for outcome in results[2:4]] == ["reseller_not_found", "account_of_distributor"]
    assert not any("handshakeId" in outcome for outcome in results)
    assert [results[at]["handshakeState"] for at in (0, 1, 4)] == ["requested", "accepted", "declined"]
    now = await tenants(party)
    assert now[NEW]["status"] == "handshake_pending" and OTHER not in now
    assert now[declined["resellerPmaAccountId"]]["above"] == first
    results = await batch_results(party, "send", [item(NEW, other), again], root=second)
    assert [outcome["status"] for outcome in results] == ["handshake_issued", "handshake_issued"]
    assert len({outcome["handshakeId"] for outcome in results}) == 2
    tenant = (await tenants(party))[NEW]
    assert (tenant["customerId"], tenant["above"]) == (other, second)
    assert [outcome["status"] for outcome in await batch_results(party, "move", [item(NEW, customer)])] == ["remapped"]


async def test_dry_run_changes_nothing(party: Party) -> None:
    before, customer = await tenants(party), await reseller(party)
    batch = [item(NEW, customer), item(OTHER, "nobody")]
    for _ in range(2):
        results = await batch_results(party, "key", batch, dryRun="true")
        assert [result["status"] for result in results] == [
            "handshake_issued",
            "failed",
        ] and "handshakeId" not in results[0]
        assert await tenants(party) == before
    assert "dryRun" in (await send_batch(party, "key", batch, dryRun="maybe")).json["error"]
    assert (await batch_results(party, "key", batch))[0]["handshakeId"], "the key is still unused"


async def test_idempotency_key_is_used_once(party: Party, clock: Clock) -> None:
    batch = [item(NEW, await reseller(party))]
    first = await batch_results(party, "key", batch)
    clock.advance(5 * HOUR)
    assert await batch_results(party, "key", batch) == first
    for key, message in (("key", "another"), ("", "required"), ("x" * 256, "255")):
        answer = await send_batch(party, key, [item(OTHER, batch[0]["resellerCustomerId"])])
        assert answer.status == 400 and message in answer.json["error"]
    assert OTHER not in await tenants(party)
    clock.advance(DAY)
    assert (await batch_results(party, "key", batch))[0]["status"] == "no_op"


async def test_invalid_batches(party: Party) -> None:
    before, customer = await tenants(party), await reseller(party)
    key = {"Idempotency-Key": "key"}
    batch = [item(NEW, customer), {"resellerCustomerId": customer}, item(NEW, customer), item("12", customer), {}]
    found = (await send_batch(party, "key", batch)).json
    assert (found["status"], found["code"]) == (422, "billing-transfer.batch_validation_failed")
    wrong = [(problem["index"], problem["code"]) for problem in found["invalidItems"]]
    assert wrong == [(1, "invalid_item"), (2, "duplicate_pma"), (3, "invalid_item"), (4, "invalid_item")]
    assert [problem.get("resellerCustomerId") for problem in found["invalidItems"]] == [
        customer,
        customer,
        customer,
        None,
    ]
    assert "resellerPmaAccountId" in found["invalidItems"][0]["reason"]
    good: dict[str, Any] = {"dpmaId": "x", "items": [item(NEW, customer)]}
    for body, message in (
        ({"items": good["items"]}, "dpmaId"),
        ({**good, "dpmaId": ""}, "dpmaId"),
        ({**good, "items": []}, "items"),
        ({**good, "items": good["items"] * 101}, "items"),
        ({**good, "x": 1}, "x"),
        ({**good, "items": [1]}, "items.0"),
        ({**good, "sendHandshakes": "yes"}, "sendHandshakes"),
    ):
        found = await problem_of(party, 422, "POST", SHAKES, body, headers=key)
        assert message in found["detail"] and "invalidItems" not in found
    assert (await problem_of(party, 403, "POST", SHAKES, good, headers=key))["code"] == "billing-transfer.not_the_owner"
    assert "body" in await party.expect_error(400, "POST", SHAKES, [], headers=key)
    assert await tenants(party) == before


async def test_reseller_accounts(party: Party) -> None:
    accounts = (await party.get(OWN, GLOBEX))["items"]
    assert accounts[0]["resellerPmaAccountId"] == GLOBEX_ESTATE.projects[0].billing_account
    assert [item["status"] for item in accounts] == ["active", "handshake_pending"]
    for revoked in (False, True):
        customers = (await party.get(f"{OWN}/end-customers", GLOBEX, includeRevoked=str(revoked).lower()))["items"]
        assert [{name: item[name] for name in accounts[0]} for item in customers] == accounts
        for item in customers:
            query = {"includeRevoked": str(revoked).lower()}
            account = item["resellerPmaAccountId"]
            body = await party.get(f"{PATH}/resellers/{account}/end-customers", GLOBEX, **query)
            assert body["items"] == item["tenants"] and item["handshakeStatus"]["total"] == len(item["tenants"])
            query |= {"dpmaId": item["dpmaId"], "resellerPmaAccountId": account}
            assert await party.get(CLIENTS, GLOBEX, **query) == body
        assert ("revoked" in [item["status"] for item in customers[0]["tenants"]]) is revoked
    assert await party.get(OWN) == {"items": []} == await party.get(f"{OWN}/end-customers"), "Acme is not a reseller"
    assert "includeRevoked" in await party.expect_error(
        400, "GET", f"{OWN}/end-customers", who=GLOBEX, includeRevoked="x"
    )


async def test_end_customers_are_visible_to_their_parents(party: Party) -> None:
    tenants_found = await tenants(party)
    account, item = next(iter(tenants_found.items()))
    rows = (await party.get(CLIENTS, dpmaId=item["above"], resellerPmaAccountId=account))["items"]
    assert [client["status"] for client in rows] == ["active", "cur_export_waiting"]
    assert (await party.get(f"{PATH}/resellers/{account}/end-customers"))["items"] == rows
    for user, query in (
        (GLOBEX, {"dpmaId": item["above"], "resellerPmaAccountId": account}),
        (ADMIN, {"dpmaId": "x", "resellerPmaAccountId": account}),
        (ADMIN, {"dpmaId": item["above"], "resellerPmaAccountId": NEW}),
    ):
        await problem_of(party, 404, "GET", CLIENTS, who=user, **query)
    await problem_of(party, 404, "GET", f"{PATH}/resellers/{account}/end-customers", who=GLOBEX)
    assert "dpmaId" in await party.expect_error(400, "GET", CLIENTS, resellerPmaAccountId=account)
    assert "resellerPmaAccountId" in await party.expect_error(400, "GET", CLIENTS, dpmaId="x")


async def reseller_account(party: Party, at: int = 0) -> dict[str, Any]:
    """The fields that identify one of the reseller's accounts in a batch."""
    item = (await party.get(OWN, GLOBEX))["items"][at]
    return {name: item[name] for name in ("dpmaId", "resellerPmaAccountId")}


async def clients(party: Party, at: int = 0, **query: object) -> dict[str, Any]:
    """End customers under one of the reseller's accounts, by account number."""
    rows = (await party.get(CLIENTS, GLOBEX, **await reseller_account(party, at), **query))["items"]
    return {item["ecAccountId"]: item for item in rows}


async def map_account(party: Party, at: int, **fields: str) -> Any:
    """The result of a batch with one item."""
    answer = await party.send("POST", MAPPINGS, {**await reseller_account(party, at), "items": [fields]}, who=GLOBEX)
    assert answer.status == 200, answer
    [result] = answer.json["results"]
    return result


async def test_mapping_lifecycle(party: Party, clock: Clock) -> None:
    first, second = [item["ecCustomerId"] for item in (await clients(party)).values()]
    fields = {"ecAccountId": NEW, "ecCustomerId": first, "curBasePath": "s3://reports/cur"}
    clock.advance(60)
    assert await map_account(party, 0, **fields) == {**fields, "status": "mapped"}
    client = (await clients(party))[NEW]
    assert (client["status"], client["handshakeState"], client["createdAt"]) == (
        "pending",
        "open",
        "2026-11-24T12:01:00Z",
    )
    assert client["effectiveTime"] is None and client["lastRefreshTime"] is None
    assert client["curBasePath"] == "s3://reports/cur"
    assert all("curBasePath" not in item for account, item in (await clients(party)).items() if account != NEW)
    clock.advance(3 * HOUR)
    item = (await clients(party))[NEW]
    assert (item["status"], item["effectiveTime"]) == ("cur_export_waiting", "2026-11-24T14:01:00Z")
    assert item["lastRefreshTime"] == "2026-11-24T15:00:00Z"
    assert (await map_account(party, 0, ecAccountId=NEW, ecCustomerId=first))["status"] == "already_mapped"
    assert (await map_account(party, 0, **{**fields, "curBasePath": "s3://other"}))["status"] == "remapped"
    moved = await map_account(party, 1, ecAccountId=NEW, ecCustomerId=second)
    assert (moved["status"], moved["curBasePath"]) == ("remapped", "s3://other")
    assert NEW not in await clients(party) and (await clients(party, 1))[NEW] == {
        **item,
        "ecCustomerId": second,
        "curBasePath": "s3://other",
    }
    clock.advance(DAY)
    assert (await clients(party, 1))[NEW]["status"] == "active"


async def test_revoked_mapping_can_be_created_again(party: Party) -> None:
    rows = await clients(party, includeRevoked="true")
    [revoked] = [item for item in rows.values() if item["status"] == "revoked"]
    result = await map_account(party, 0, ecAccountId=revoked["ecAccountId"], ecCustomerId=revoked["ecCustomerId"])
    assert result["status"] == "remapped"
    assert (await clients(party))[revoked["ecAccountId"]]["status"] == "pending"


async def test_rejected_mappings(party: Party) -> None:
    before, place = await clients(party, includeRevoked="true"), await reseller_account(party)
    first, second, third = [item["ecCustomerId"] for item in before.values()]

    async def list_invalid(*items: tuple[object, object]) -> list[Any]:
        rows = [{"ecAccountId": account, "ecCustomerId": customer} for account, customer in items]
        problem = await problem_of(party, 422, "POST", MAPPINGS, {**place, "items": rows}, who=GLOBEX)
        return [(item["index"], item["code"]) for item in problem["invalidItems"]]

    assert await list_invalid((NEW, first), (NEW, second), (OTHER, first)) == [
        (1, "duplicate_ec_account"),
        (2, "duplicate_ec_customer"),
    ]
    assert await list_invalid((NEW, first), (OTHER, "nobody"), ("700000000003", ACME.id)) == [
        (1, "unknown_customer"),
        (2, "unknown_customer"),
    ]
    assert await list_invalid(("1", third), (NEW, 1)) == [(0, "invalid_item"), (1, "invalid_item")]
    body = {**place, "items": [{"ecAccountId": NEW, "ecCustomerId": first}]}
    for changes, code in (
        ({"resellerPmaAccountId": NEW}, "not_the_owner"),
        ({"dpmaId": "x"}, "reseller_not_mapped"),
    ):
        problem = await problem_of(party, 403, "POST", MAPPINGS, {**body, **changes}, who=GLOBEX)
        assert problem["code"] == f"billing-transfer.{code}"
    assert "items" in (await problem_of(party, 422, "POST", MAPPINGS, place, who=GLOBEX))["detail"]
    assert await clients(party, includeRevoked="true") == before


async def test_lapsed_account_accepts_no_mappings(party: Party) -> None:
    node = next(
        iter(
            party.api.tenant(GLOBEX_CUSTOMER)
            .collection("reseller accounts", cloud_accounts.seed_reseller_accounts)
            .values()
        )
    )
    body = {**await reseller_account(party), "items": [{"ecAccountId": NEW, "ecCustomerId": "x"}]}
    node["outcome"] = "expired"
    problem = await problem_of(party, 403, "POST", MAPPINGS, body, who=GLOBEX)
    assert problem["code"] == "billing-transfer.reseller_not_mapped"


async def test_tiers_are_limited_to_their_operations(party: Party) -> None:
    for path in (ROOTS, f"{ROOTS}/status"):
        assert "distributor" in await party.expect_error(403, "GET", path, who=GLOBEX)
    key = {"Idempotency-Key": "key"}
    problem = await problem_of(party, 403, "POST", SHAKES, {}, who=GLOBEX, headers=key)
    assert problem["code"] == "billing-transfer.not_a_distributor"
    assert (await problem_of(party, 403, "POST", MAPPINGS, {}))["code"] == "billing-transfer.not_a_reseller"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_permission_is_required(party: Party, route: Route) -> None:
    path = re.sub(r"\{[^}]+\}", "x", route.path)
    answer = await party.send(route.method, path, {}, who=VIEWER)
    message = answer.json.get("detail", answer.json.get("error"))
    assert answer.status == 403 and f"contracts.{'read' if route.method == 'GET' else 'write'}" in message


def fill_records(party: Party, user: User, name: str, seed: Any) -> Any:
    """Fill a collection of records up to its limit."""
    customer = ACME if user is ADMIN else GLOBEX_CUSTOMER
    records = party.api.tenant(customer).collection(name, seed)
    item = next(iter(records.values()))
    records.update({str(number): {**item, "id": str(number)} for number in range(MAX_RECORDS - len(records))})
    return records


async def test_account_count_is_bounded(party: Party) -> None:
    customer, end_customer = await reseller(party), next(iter((await clients(party)).values()))["ecCustomerId"]
    accounts = fill_records(party, ADMIN, "reseller accounts", cloud_accounts.seed_reseller_accounts)
    account = next(iter(accounts))
    for dry in ("true", "false"):
        results = await batch_results(party, "key", [item(NEW, customer), item(account, customer)], dryRun=dry)
        assert [result["status"] for result in results] == ["failed", "no_op"]
        assert results[0]["error"]["code"] == "too_many_accounts"
    assert len(accounts) == MAX_RECORDS
    del accounts["0"]
    results = await batch_results(party, "more", [item(NEW, customer), item(OTHER, customer)], more={})
    assert [result["status"] for result in results] == ["mapped", "failed"] and len(accounts) == MAX_RECORDS
    accounts = fill_records(party, GLOBEX, "end customer accounts", cloud_accounts.seed_end_customers)
    body = {**await reseller_account(party), "items": [{"ecAccountId": NEW, "ecCustomerId": end_customer}]}
    assert str(MAX_RECORDS) in await party.expect_error(400, "POST", MAPPINGS, body, who=GLOBEX)
    assert len(accounts) == MAX_RECORDS


async def test_tools_reach_the_endpoints(clock: Clock) -> None:
    async with serving(make=catalog_factory(), api=Api(clock=clock)) as site:

        async def call(name: str, user: User = ADMIN, **arguments: object) -> Any:
            result = (await site.apply(name, arguments, user=user)).result
            assert not result.get("isError"), (name, result)
            return result["structuredContent"]

        page = await call("list_billing_transfer_accounts", maxResults=1)
        root = page["items"][0]
        assert (await call("list_billing_transfer_accounts", maxResults=1, pageToken=page["pageToken"]))["items"]
        states = (await call("get_billing_transfer_account_status"))["items"]
        assert root["dpmaId"] == states[0]["dpmaId"]
        batch = {"dpmaId": root["dpmaId"], "items": [item(NEW, root["tenants"][0]["customerId"])]}
        dry = await call("create_billing_transfer_handshakes", **batch, sendHandshakes=True, dryRun=True)
        batch_result = await call("create_billing_transfer_handshakes", **batch, sendHandshakes=True)
        assert dry["summary"] == batch_result["summary"] and batch_result["results"][0]["handshakeId"]
        accounts = (await call("list_billing_transfer_reseller_accounts", OTHER_USER))["items"][0]
        place = {name: accounts[name] for name in ("dpmaId", "resellerPmaAccountId")}
        before = (await call("list_billing_transfer_end_customers", OTHER_USER, **place))["items"]
        items = [{"ecAccountId": NEW, "ecCustomerId": before[0]["ecCustomerId"]}]
        done = await call("create_billing_transfer_mappings", OTHER_USER, **place, items=items)
        assert [outcome["status"] for outcome in done["results"]] == ["mapped"]
        account = accounts["resellerPmaAccountId"]
        after = (await call("list_reseller_end_customers", OTHER_USER, resellerPmaAccountId=account))["items"]
        assert [row["ecAccountId"] for row in after] == [*(row["ecAccountId"] for row in before), NEW]
        rows = (await call("list_billing_transfer_reseller_tenants", OTHER_USER, includeRevoked=True))["items"]
        assert len(rows[0]["tenants"]) == len(after) + 1
        refusal = await site.apply("create_billing_transfer_mappings", {**place, "items": items * 2}, user=OTHER_USER)
        assert refusal.result["isError"] is True and "in the batch twice" in str(refusal.result["content"])
