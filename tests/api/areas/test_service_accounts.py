"""Service accounts and signup: requests, their headers, and the version that a change names."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS, Doit
from doit_mcp.api.areas.service_accounts import camel_case_names
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder
from tests.catalog.caller import run

from .calling import capture_request

PATH, REQUESTS = "/iam/v1/service-accounts", "/signup/v1/requests"
TOKENS = f"{PATH}/s%2F1/api-tokens"
TRIAL = f"sr_{'0a' * 16}"
STORED = {"id": "s/1", "etag": '"v1"'}


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_service_accounts", {}, Request("GET", PATH, {}, None)),
        ("get_service_account", {"id": "s/1"}, Request("GET", f"{PATH}/s%2F1", {}, None)),
        (
            "create_service_account",
            {"name": "A", "permissions": ["settings"], "dryRun": True},
            Request("POST", PATH, {"dryRun": "true"}, {"name": "A", "permissions": ["settings"]}),
        ),
        (
            "update_service_account",
            {"id": "s/1", "permissions": []},
            Request("PATCH", f"{PATH}/s%2F1", {}, {"permissions": []}, '"v1"'),
        ),
        (
            "delete_service_account",
            {"id": "s/1", "dryRun": True},
            Request("DELETE", f"{PATH}/s%2F1", {"dryRun": "true"}, None, '"v1"'),
        ),
        ("list_service_account_tokens", {"serviceAccountId": "s/1"}, Request("GET", TOKENS, {}, None)),
        (
            "get_service_account_token",
            {"serviceAccountId": "s/1", "id": "t"},
            Request("GET", f"{TOKENS}/t", {}, None),
        ),
        (
            "create_service_account_token",
            {"serviceAccountId": "s/1", "name": "ci", "expiresTime": "2027-01-01T00:00:00Z"},
            Request("POST", TOKENS, {}, {"name": "ci", "expiresTime": "2027-01-01T00:00:00Z"}),
        ),
        (
            "update_service_account_token",
            {"serviceAccountId": "s/1", "id": "t", "tokenState": "disabled"},
            Request("PATCH", f"{TOKENS}/t", {}, {"state": "disabled"}),
        ),
        (
            "delete_service_account_token",
            {"serviceAccountId": "s/1", "id": "t"},
            Request("DELETE", f"{TOKENS}/t", {}, None),
        ),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("service_accounts", name, arguments, STORED) == request_


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        (
            "create_signup_request",
            {"email": "a@b.example", "companyName": "B", "source": {"campaign": "c"}},
            Request("POST", REQUESTS, {}, {"email": "a@b.example", "companyName": "B", "source": {"campaign": "c"}}),
        ),
        ("get_signup_request", {"signupRequestId": TRIAL}, Request("GET", f"{REQUESTS}/{TRIAL}", {}, None)),
        (
            "resend_signup_verification",
            {"signupRequestId": TRIAL},
            Request("POST", f"{REQUESTS}/{TRIAL}/verification", {}, None),
        ),
        (
            "verify_signup_request",
            {"signupRequestId": TRIAL, "code": "123456"},
            Request("POST", f"{REQUESTS}/{TRIAL}/verify", {}, {"code": "123456"}),
        ),
        (
            "create_signup_session",
            {"signupRequestId": TRIAL, "activationToken": "a"},
            Request("POST", f"{REQUESTS}/{TRIAL}/session", {}, {"activationToken": "a"}),
        ),
    ],
)
async def test_signup_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("signup", name, arguments) == request_


def test_facts() -> None:
    rows = {row.name: row for area in ("service_accounts", "signup") for row in AREAS[area].operations}
    writes = [row for row in rows.values() if not row.read_only]
    assert all(row.facts.get("confirm") is True for row in writes)
    assert all(row.unauthenticated == row.path.startswith(REQUESTS) for row in rows.values())
    assert {row.name for row in rows.values() if row.needs_if_match} == {
        "update_service_account",
        "delete_service_account",
    }
    assert all(row.needs_idempotency_key for row in writes if row.path.startswith(PATH))
    assert {row.name for row in rows.values() if row.open_world} == {
        "create_signup_request",
        "resend_signup_verification",
        "verify_signup_request",
    }


async def test_a_deletion_names_the_version_that_it_read() -> None:
    api = Recorder(STORED, None)
    await Doit.for_sender(api).service_accounts.delete_service_account(id="s/1")
    assert [(request.method, request.if_match) for request in api.requests] == [("GET", ""), ("DELETE", '"v1"')]


async def test_names_of_permissions_have_the_spelling_of_the_api() -> None:
    assert camel_case_names(["CloudAnalyticsReadOnly", "settings", ""]) == ["cloudAnalyticsReadOnly", "settings", ""]
    api = Recorder(STORED)
    await run("create_service_account", api, name="A", permissions=["UsersManager", "settings"])
    assert api.requests[-1].body == {"name": "A", "permissions": ["usersManager", "settings"]}


async def test_the_name_of_the_api_for_the_state_is_accepted() -> None:
    """Agent frameworks replace arguments that are called state."""
    api = Recorder({"id": "t", "state": "disabled"})
    await run("update_service_account_token", api, serviceAccountId="s", id="t", state="disabled")
    assert api.requests[-1].body == {"state": "disabled"}
