"""Service accounts: versions, idempotency keys, dry runs, and tokens that authenticate."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME, UMBRA
from doit_mcp.sandbox.accounts import GLOBEX as GLOBEX_CUSTOMER
from doit_mcp.sandbox.api.costs.calendar_days import format_rfc3339

from ..conftest import Clock
from .conftest import ADMIN, VIEWER, Answer, Party

PATH = "/iam/v1/service-accounts"
PATCH = {"Content-Type": "application/merge-patch+json"}


class Keys:
    """Sends writes, each with a key of its own."""

    def __init__(self, party: Party) -> None:
        self.party, self.count = party, 0

    async def send(self, status: int, method: str, path: str, body: object = None, **options: Any) -> Answer:
        """The response to a write, which must have this *status*."""
        self.count += 1
        headers = {"Idempotency-Key": f"key {self.count}", **options.pop("headers", {})}
        answer = await self.party.send(method, path, body, headers=headers, **options)
        assert answer.status == status, answer
        return answer

    async def fail(self, status: int, method: str, path: str, body: object = None, **options: Any) -> Any:
        """The problem details of an error."""
        answer = await self.send(status, method, path, body, **options)
        assert answer.headers["Content-Type"] == "application/problem+json", answer
        return answer.json

    async def make(self, name: str = "Mine", *permissions: str) -> Any:
        """A new service account."""
        return (await self.send(201, "POST", PATH, {"name": name, "permissions": list(permissions)})).json


@pytest.fixture
def keys(party: Party) -> Keys:
    """The writes of one test."""
    return Keys(party)


async def test_account_lifecycle(party: Party, keys: Keys) -> None:
    created = await keys.send(201, "POST", PATH, {"name": "Mine", "permissions": ["cloudAnalyticsReadOnly"]})
    account = created.json
    path = f"{PATH}/{account['id']}"
    assert created.headers["Location"] == path and created.headers["ETag"] == account["etag"]
    assert (account["createdByEmail"], account["description"]) == (ADMIN.email, "")
    assert await party.get(path) == account and account in (await party.get(PATH))["items"]
    changes = {"description": "x", "permissions": None}
    changed = (await keys.send(200, "PATCH", path, changes, headers={"If-Match": account["etag"], **PATCH})).json
    assert (changed["description"], changed["permissions"]) == ("x", ["cloudAnalyticsReadOnly"])
    assert changed["etag"] != account["etag"]
    await keys.send(204, "DELETE", path, headers={"If-Match": changed["etag"]})
    assert (await party.send("GET", path)).status == 404


async def test_changes_name_the_version(keys: Keys) -> None:
    account = await keys.make()
    path = f"{PATH}/{account['id']}"
    for method, body, more in (("PATCH", {"name": "x"}, PATCH), ("DELETE", None, {})):
        assert (await keys.fail(428, method, path, body, headers=more))["code"] == "precondition_required"
        stale = {"If-Match": '"other"', **more}
        assert (await keys.fail(412, method, path, body, headers=stale))["code"] == "precondition_failed"
    current = {"If-Match": account["etag"]}
    problem = await keys.fail(
        415, "PATCH", path, {"name": "x"}, headers={"Content-Type": "application/json", **current}
    )
    assert problem["code"] == "unsupported_media_type"


async def test_errors_name_the_problem(party: Party, keys: Keys) -> None:
    account = await keys.make()
    assert (await keys.fail(400, "POST", PATH, {"name": " Mine"}))["details"][0]["field"] == "name"
    assert (await keys.fail(409, "POST", PATH, {"name": "Mine"}))["code"] == "conflict"
    unknown = {"name": "Other", "permissions": ["CloudAnalyticsReadOnly"]}
    assert (await keys.fail(422, "POST", PATH, unknown))["code"] == "console-iam.invalid_permission"
    assert (await keys.fail(404, "GET", f"{PATH}/none"))["code"] == "not_found"
    for body in ({}, {"name": ""}, {"name": "x" * 101}, {"name": "x", "owner": "y"}):
        await keys.fail(400, "POST", PATH, body)
    no_key = await party.send("POST", PATH, {"name": "Other"})
    assert (no_key.status, no_key.json["code"]) == (400, "idempotency_key_required")
    one = {"Idempotency-Key": "one"}
    first = await party.send("POST", PATH, {"name": "Once"}, headers=one)
    assert (await party.send("POST", PATH, {"name": "Once"}, headers=one)).json == first.json
    reused = await party.send("POST", PATH, {"name": "Twice"}, headers=one)
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")
    assert "lacks" in await party.expect_error(403, "POST", PATH, {"name": "x"}, who=VIEWER)
    assert account in (await party.get(PATH, VIEWER))["items"]


async def test_dry_runs_change_nothing(party: Party, keys: Keys) -> None:
    account = await keys.make()
    path, match = f"{PATH}/{account['id']}", {"If-Match": account["etag"]}
    before = await party.get(PATH)
    planned = await keys.send(200, "POST", PATH, {"name": "Other"}, dryRun="true")
    assert [planned.json[name] for name in ("id", "createTime", "updateTime", "etag")] == [None] * 4
    changed = await keys.send(200, "PATCH", path, {"name": "Ours"}, headers={**match, **PATCH}, dryRun="true")
    assert changed.json["name"] == "Ours"
    deleted = await keys.send(204, "DELETE", path, headers=match, dryRun="true")
    token = await keys.send(200, "POST", f"{path}/api-tokens", {"name": "ci"}, dryRun="true")
    assert (token.json["accessToken"], token.json["id"]) == ("", None)
    assert all(answer.headers["X-Dry-Run"] == "true" for answer in (planned, changed, deleted, token))
    assert await party.get(PATH) == before and (await party.get(f"{path}/api-tokens"))["items"] == []


async def test_token_lifecycle(party: Party, keys: Keys, clock: Clock) -> None:
    account = await keys.make("Mine", "cloudAnalyticsReadOnly")
    path = f"{PATH}/{account['id']}/api-tokens"
    made = await keys.send(201, "POST", path, {"name": "ci", "expiresTime": format_rfc3339(clock() + 3600)})
    token = {name: value for name, value in made.json.items() if name != "accessToken"}
    one = f"{path}/{token['id']}"
    assert made.json["accessToken"] and await party.get(one) == token
    assert (await party.get(path))["items"] == [token]
    assert (await keys.send(200, "PATCH", one, {"state": "disabled"})).json["state"] == "disabled"
    assert (await keys.send(200, "PATCH", one, {"state": "active"})).json["state"] == "active"
    await keys.send(200, "PATCH", one, {"state": "disabled"})
    clock.advance(3601)
    assert (await keys.fail(422, "PATCH", one, {"state": "active"}))["code"] == "token_expired"
    assert (await keys.fail(409, "POST", path, {"name": "ci"}))["code"] == "conflict"
    assert (await keys.fail(400, "POST", path, {"name": "ci "}))["details"][0]["field"] == "name"
    for expires in ("2020-01-01T00:00:00Z", "soon"):
        await keys.fail(400, "POST", path, {"name": "x", "expiresTime": expires})
    await keys.send(204, "DELETE", one)
    assert (await party.get(path))["items"] == []
    await keys.fail(404, "DELETE", one)
    await keys.fail(404, "GET", f"{PATH}/none/api-tokens")


async def test_an_account_has_ten_tokens_at_most(keys: Keys) -> None:
    path = f"{PATH}/{(await keys.make())['id']}/api-tokens"
    for number in range(10):
        await keys.send(201, "POST", path, {"name": str(number)})
    assert (await keys.fail(422, "POST", path, {"name": "one more"}))["code"] == "too_many_tokens"


async def test_tokens_authenticate_with_the_permissions_of_their_creation(party: Party, keys: Keys) -> None:
    account = await keys.make("Mine", "cloudAnalyticsReadOnly")
    path = f"{PATH}/{account['id']}"
    made = (await keys.send(201, "POST", f"{path}/api-tokens", {"name": "ci"})).json

    async def ask(target: str, tenant: str = "") -> int:
        headers = {"Authorization": f"Bearer {made['accessToken']}", **({"X-Tenant-Id": tenant} if tenant else {})}
        return (await party.send("GET", target, who=None, headers=headers)).status

    validated = await party.send(
        "GET", "/auth/v1/validate", who=None, headers={"Authorization": f"Bearer {made['accessToken']}"}
    )
    assert "CloudAnalyticsReadOnly" in validated.json["permissions"] and validated.json["domain"] == ACME.domain
    assert await ask("/analytics/v1/reports") == 200 and await ask("/iam/v1/users") == 403
    assert (await party.get(f"{path}/api-tokens"))["items"][0]["lastUsedTime"]
    match = {"If-Match": account["etag"], **PATCH}
    changed = (await keys.send(200, "PATCH", path, {"permissions": ["usersManager"]}, headers=match)).json
    assert await ask("/analytics/v1/reports") == 200, "the token keeps its permissions"
    assert await ask("/analytics/v1/reports", ACME.id) == 200
    assert await ask("/analytics/v1/reports", GLOBEX_CUSTOMER.id) == 200, "a customer below"
    for outside in (UMBRA.id, "unknown"):
        assert await ask("/analytics/v1/reports", outside) == 403
    await keys.send(200, "PATCH", f"{path}/api-tokens/{made['id']}", {"state": "disabled"})
    assert await ask("/analytics/v1/reports") == 401
    await keys.send(200, "PATCH", f"{path}/api-tokens/{made['id']}", {"state": "active"})
    await keys.send(204, "DELETE", path, headers={"If-Match": changed["etag"]})
    assert await ask("/analytics/v1/reports") == 401, "the tokens of a deleted account stop"


async def test_accounts_created_by_service_accounts_name_no_user(party: Party, keys: Keys) -> None:
    account = await keys.make("Mine", "serviceAccountCreator")
    path = f"{PATH}/{account['id']}/api-tokens"
    secret = (await keys.send(201, "POST", path, {"name": "ci"})).json["accessToken"]
    by_program = {"Authorization": f"Bearer {secret}"}
    made = (await keys.send(201, "POST", PATH, {"name": "Other"}, who=None, headers=by_program)).json
    assert [made[name] for name in ("createdBy", "createdByEmail", "createdByUserId")] == [None] * 3
