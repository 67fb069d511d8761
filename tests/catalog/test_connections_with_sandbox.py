"""CloudFlow connections against the sandbox: idempotency keys, and updates of the version that was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError, explain
from doit_mcp.sandbox.api import Api
from tests.api.recorder import Recorder

from .caller import Caller
from .conftest import Ask

CONFIG = {"gcpConfig": {"projectId": "p", "level": "project"}}


async def test_created_connection_can_be_updated(ask: Ask) -> None:
    created = await ask("create_cloudflow_connection", name="Mine", **CONFIG)
    changed = await ask("update_cloudflow_connection", connectionId=created["connectionId"], enabled=False)
    assert changed["enabled"] is False and changed["etag"] != created["etag"]
    again = await ask("update_cloudflow_connection", connectionId=created["connectionId"], enabled=True)
    assert again["enabled"] is True


async def test_update_does_not_overwrite_another_one(
    ask: Ask, make_caller: Callable[[], Caller], witness: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await ask("create_cloudflow_connection", name="Shared", **CONFIG)
    connection = created["connectionId"]
    area = make_caller().doit.cloudflow_connections
    send = area.sender.send

    async def overtake(operation: Any, arguments: Any) -> Any:
        if operation.method == "PATCH":
            monkeypatch.undo()
            await ask("update_cloudflow_connection", connectionId=connection, description="Theirs")
        return await send(operation, arguments)

    monkeypatch.setattr(area.sender, "send", overtake)
    with pytest.raises(ApiError) as caught:
        await area.update_cloudflow_connection(connectionId=connection, enabled=False)
    message = explain(caught.value, "update_cloudflow_connection")
    for part in ("(HTTP 412)", '(description: "" → Theirs)', "this call changed nothing"):
        assert part in message
    assert not caught.value.maybe_applied
    current = await ask("get_cloudflow_connection", connectionId=connection)
    assert current["description"] == "Theirs" and current["enabled"] is True


@pytest.mark.parametrize(
    ("etag", "header"),
    [(None, ""), ("", ""), ("v1", '"v1"'), ('"v1"', '"v1"'), ('W/"v1"', 'W/"v1"')],
)
async def test_both_spellings_of_an_etag_are_sent(etag: str | None, header: str) -> None:
    caller = Caller(api := Recorder({"connectionId": "c", "etag": etag}))
    await caller.doit.cloudflow_connections.update_cloudflow_connection(connectionId="c", enabled=True)
    read, update = api.requests
    assert (read.method, update.method, update.if_match) == ("GET", "PATCH", header)
    assert update.body == {"enabled": True} and update.query == {}


async def test_dry_run_of_a_deletion_deletes_nothing_and_does_not_say_so(ask: Ask) -> None:
    account = await ask("create_service_account", name="ci", permissions=["cloudAnalyticsReadOnly"])
    checked = await ask("delete_service_account", id=account["id"], dryRun=True)
    assert (checked["status"], checked["id"], "deleted" in checked) == ("dry_run", account["id"], False)
    assert (await ask("get_service_account", id=account["id"]))["name"] == "ci"
    done = await ask("delete_service_account", id=account["id"])
    assert "cannot be restored" in done.pop("undo")["note"]
    assert done == {"status": "completed", "deleted": True, "id": account["id"]}
