"""Cloud Connect: roles for DoiT and their features."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.costs.estate_types import AWS, AZURE
from doit_mcp.sandbox.api.costs.estates import ACME_ESTATE, GLOBEX_ESTATE
from doit_mcp.sandbox.api.seeds import cloud_accounts
from doit_mcp.sandbox.api.tenants import MAX_RECORDS
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import serving

from ..conftest import Clock
from .conftest import ADMIN, GLOBEX, VIEWER, Party

PATH = "/core/v1/cloudconnect/aws/accounts"
FEATURES = "/core/v1/cloudconnect/supportedFeatures"
PRODUCTION, SANDBOX = "111122223333", "444455556666"
BUCKET = {"s3Bucket": "acme-trail", "s3BucketRegion": "us-west-2"}
LAST = "enabledFeatures"


def role(account: str = SANDBOX, **changes: object) -> dict[str, Any]:
    """The body that connects an account."""
    arn = f"arn:aws:iam::{account}:role/DoiT"
    return {"accountID": account, "roleArn": arn, "enabledFeatures": ["core"], **changes}


async def test_connected_account_lifecycle(party: Party, clock: Clock) -> None:
    item = f"{PATH}/{SANDBOX}"
    assert "not found" in await party.expect_error(404, "GET", item)
    account = (await party.send("POST", PATH, role())).json
    features = account["supportedFeatures"]
    assert account == {**role(), "supportedFeatures": features, "timeLinked": "2026-11-24T12:00:00Z"}
    assert account == await party.get(item)
    assert await party.get(f"{FEATURES}/{SANDBOX}") == {"supportedFeatures": features}
    assert {"name": "real-time-data", "hasRequiredPermissions": False} in features
    clock.advance(60)
    expected = {"enabledFeatures": ["real-time-data", "core"], **BUCKET}
    used = (await party.send("PUT", item, expected)).json
    assert {name: used[name] for name in expected} == expected and used["timeLinked"] == account["timeLinked"]
    assert {"name": "real-time-data", "hasRequiredPermissions": True} in used["supportedFeatures"]
    assert used == await party.get(item)
    less = (await party.send("PUT", item, {"enabledFeatures": []})).json
    assert less == {**account, "enabledFeatures": []}, "the bucket was removed with the feature"
    assert (await party.send("POST", PATH, role())).json == account, "the same role stays linked"
    other = (await party.send("POST", PATH, role(roleArn=f"arn:aws:iam::{SANDBOX}:role/team/Other"))).json
    assert other["timeLinked"] == "2026-11-24T12:01:00Z" and other == await party.get(item)
    response = await party.send("DELETE", item)
    assert (response.status, response.body) == (200, b"")
    for method, body in (("GET", None), ("PUT", {"enabledFeatures": []}), ("DELETE", None)):
        # The document declares 404 for reads only.
        assert "not found" in await party.expect_error(404, method, item, body, declared=method == "GET")
    assert "not found" in await party.expect_error(404, "GET", f"{FEATURES}/{SANDBOX}")


@pytest.mark.parametrize(("estate", "who"), [(ACME_ESTATE, ADMIN), (GLOBEX_ESTATE, GLOBEX)])
async def test_billing_accounts_are_connected(party: Party, estate: Any, who: Any) -> None:
    largest = max((item for item in estate.projects if item.provider == AWS), key=lambda item: item.scale)
    account = await party.get(f"{PATH}/{largest.id}", who)
    assert account["roleArn"].startswith(f"arn:aws:iam::{largest.id}:role/")
    assert account["s3BucketRegion"] == largest.region and "real-time-data" in account[LAST]
    assert all(item["hasRequiredPermissions"] for item in account["supportedFeatures"])
    azure = next(item for item in estate.projects if item.provider == AZURE).billing_account
    features = (await party.get(f"{FEATURES}/{azure}", who))["supportedFeatures"]
    assert [item["hasRequiredPermissions"] for item in features] == [True, False]
    assert "not found" in await party.expect_error(404, "GET", f"{PATH}/{azure}", who=who)


async def test_customers_cannot_see_each_others_accounts(party: Party) -> None:
    for path in (f"{PATH}/{PRODUCTION}", f"{FEATURES}/{PRODUCTION}"):
        assert "not found" in await party.expect_error(404, "GET", path, who=GLOBEX)
        assert "settings.read" in await party.expect_error(403, "GET", path, who=VIEWER)
    before = await party.get(f"{PATH}/{PRODUCTION}")
    assert PRODUCTION in await party.expect_error(409, "POST", PATH, role(PRODUCTION), who=GLOBEX)
    assert "not found" in await party.expect_error(404, "DELETE", f"{PATH}/{PRODUCTION}", who=GLOBEX, declared=False)
    assert await party.get(f"{PATH}/{PRODUCTION}") == before
    fresh = "987654321098"
    assert (await party.send("POST", PATH, role(fresh))).status == 200
    assert "not found" in await party.expect_error(404, "GET", f"{PATH}/{fresh}", who=GLOBEX)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"accountID": "12"}, "accountID"),
        ({"roleArn": "arn:aws:iam::111122223333:role/DoiT"}, SANDBOX),
        ({"roleArn": "DoiT"}, "roleArn"),
        ({LAST: ["moon"]}, LAST),
        ({LAST: ["core", "core"]}, LAST),
        ({LAST: ["real-time-data"]}, "s3Bucket"),
        ({LAST: ["real-time-data"], "s3Bucket": "a-bucket"}, "s3BucketRegion"),
        (BUCKET, "not allowed"),
        ({LAST: ["real-time-data"], **BUCKET, "s3Bucket": "X"}, "s3Bucket"),
        ({"x": 1}, "x"),
    ],
)
async def test_validation_errors_name_the_field(party: Party, changes: dict[str, Any], field: str) -> None:
    assert field in await party.expect_error(400, "POST", PATH, role(**changes))
    assert "not found" in await party.expect_error(404, "GET", f"{PATH}/{SANDBOX}")
    settings = {name: value for name, value in changes.items() if name not in ("accountID", "roleArn")}
    if settings:
        before = await party.get(f"{PATH}/{PRODUCTION}")
        assert field in await party.expect_error(400, "PUT", f"{PATH}/{PRODUCTION}", {LAST: ["core"], **settings})
        assert await party.get(f"{PATH}/{PRODUCTION}") == before


async def test_connected_accounts_are_bounded(party: Party) -> None:
    accounts = party.api.tenant(ACME).collection("connected accounts", cloud_accounts.seed_connected_accounts)
    item = accounts[PRODUCTION]
    accounts.update({str(number): item for number in range(MAX_RECORDS - len(accounts))})
    assert str(MAX_RECORDS) in await party.expect_error(409, "POST", PATH, role())
    assert (await party.send("POST", PATH, role(PRODUCTION))).status == 200, "it already exists"
    assert len(accounts) == MAX_RECORDS


async def test_tools_reach_the_endpoints(clock: Clock) -> None:
    async with serving(make=catalog_factory(), api=Api(clock=clock)) as site:

        async def call(name: str, **arguments: object) -> Any:
            result = (await site.apply(name, arguments)).result
            assert not result.get("isError"), (name, result)
            return result.get("structuredContent")

        account = await call("create_account_role", **role())
        assert "delete_account_role" in account.pop("undo")["note"]
        assert account["roleArn"] == role()["roleArn"] and await call("get_aws_account", accountID=SANDBOX) == account
        changed = await call("update_aws_feature", accountID=SANDBOX, enabledFeatures=["real-time-data"], **BUCKET)
        assert changed["s3Bucket"] == BUCKET["s3Bucket"]
        features = await call("get_cloud_connect_supported_features", accountID=SANDBOX)
        assert features["supportedFeatures"] == changed["supportedFeatures"]
        await call("delete_account_role", accountID=SANDBOX)
        assert (await site.call("get_aws_account", {"accountID": SANDBOX})).result["isError"] is True
