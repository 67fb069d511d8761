"""Confirmation: what changes while the user decides."""

from __future__ import annotations

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.catalog.writes.confirmation import MAX_QUESTIONS
from doit_mcp.protocol.jsonrpc import JsonObject

from .confirming import BUDGET, OWNER, RESOURCE, SHARED, ConfirmingCaller, Recorder, methods, run


@pytest.mark.requirement("N13")
async def test_n13_change_beyond_the_limit_requires_confirmation_again() -> None:
    def shared(*names: str) -> JsonObject:
        users = [OWNER, *({"user": f"{name}@acme.example", "role": "viewer"} for name in names)]
        return {**SHARED, "permissions": users}

    few = [f"u{n:02}" for n in range(29)]
    first, second = shared(*few, *(f"u{n}" for n in range(50, 60))), shared(*few, *(f"boss{n}" for n in range(50, 60)))
    caller = ConfirmingCaller(Recorder(first, second, second, {}), waits_for_answers=True)
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[OWNER])
    first_question, second_question = caller.questions
    assert first_question.digest != second_question.digest and "boss59@acme.example" in str(second_question.params)


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("changed", [{"currentUtilization": 99}, {"updateTime": "now"}, {"alerts": [{"sent": 1}]}])
async def test_n13_volatile_change_does_not_require_confirmation_again(changed: JsonObject) -> None:
    caller = ConfirmingCaller(Recorder(BUDGET, {**BUDGET, **changed}, {}), waits_for_answers=True)
    await run("update_budget", caller, id="b1", recipients=["bob@acme.example"], amount=5)
    assert len(caller.questions) == 1


@pytest.mark.requirement("N13")
async def test_n13_nested_status_change_does_not_require_confirmation_again() -> None:
    def connection(status: str) -> JsonObject:
        return {"connectionId": "x", "awsConfig": {"context": [{"accountId": "1", "status": status}], "status": status}}

    caller = ConfirmingCaller(Recorder(connection("pending"), connection("healthy"), {}), waits_for_answers=True)
    config = {"context": [{"accountId": "2"}]}
    await run("update_cloudflow_connection", caller, connectionId="x", awsConfig=config)
    assert len(caller.questions) == 1


@pytest.mark.requirement("N13")
async def test_n13_change_during_confirmation_requires_confirmation_again() -> None:
    renamed = {**BUDGET, "name": "Another by now"}
    api = Recorder(BUDGET, renamed, renamed, None)
    caller = ConfirmingCaller(api, waits_for_answers=True)
    await run("delete_budget", caller, id="b1")
    assert methods(api) == ["GET", "GET", "GET", "DELETE"]
    first, second = (str(question.params["message"]) for question in caller.questions)
    assert "name: Data team" in first and "name: Another by now" in second


@pytest.mark.requirement("N13")
async def test_n13_continually_changing_target_is_eventually_rejected() -> None:
    api = Recorder(*({**BUDGET, "name": f"Name {n}"} for n in range(9)))
    caller = ConfirmingCaller(api, waits_for_answers=True)
    with pytest.raises(ToolError, match="changed each of the 3 times that the user was asked"):
        await run("delete_budget", caller, id="b1")
    assert len(caller.questions) == MAX_QUESTIONS and set(methods(api)) == {"GET"}


@pytest.mark.requirement("N13")
async def test_n13_target_deleted_during_confirmation_is_not_deleted() -> None:
    api = Recorder(BUDGET, ApiError("no such budget", kind="missing", status=404))
    with pytest.raises(ApiError):
        await run("delete_budget", ConfirmingCaller(api, waits_for_answers=True), id="b1")
    assert methods(api) == ["GET", "GET"]


@pytest.mark.requirement("N13")
async def test_n13_accepting_round_reads_once() -> None:
    api = Recorder(BUDGET, None)
    await run("delete_budget", ConfirmingCaller(api), id="b1")
    assert methods(api) == ["GET", "DELETE"]


ALERTS = [{"percentage": 50, "triggered": False, "forecastedDate": None}]


@pytest.mark.requirement("N13")
@pytest.mark.parametrize(
    ("changed", "questions"),
    [
        ({"currentUtilization": 99, "updateTime": "now", "percentUsed": 9.9}, 1),
        ({"alerts": [{"percentage": 50, "triggered": True, "forecastedDate": "2026-12-01"}]}, 1),
        ({"alerts": [{"percentage": 60, "triggered": False, "forecastedDate": None}]}, 2),
        ({"scopes": [{"type": "fixed", "id": "cloud_provider", "values": ["google-cloud"]}]}, 2),
    ],
)
async def test_n13_deletion_covers_the_whole_object_without_volatile_members(
    changed: JsonObject, questions: int
) -> None:
    before = {**BUDGET, "alerts": ALERTS}
    caller = ConfirmingCaller(Recorder(before, *[{**before, **changed}] * questions, None), waits_for_answers=True)
    await run("delete_budget", caller, id="b1")
    assert len(caller.questions) == questions
    assert "alerts" in str(caller.questions[0].params["message"])
