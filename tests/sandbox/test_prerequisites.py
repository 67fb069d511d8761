"""What users see who lack a prerequisite: at the sign-in and at the first call, with the way on."""

from __future__ import annotations

import re
from html import unescape

import pytest

from doit_mcp.sandbox.accounts import USERS
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import EMPLOYEE, serving

from .conftest import CALLBACK, Fields, Party

ANALYST, TYRELL_ADMIN = "analyst@acme.example", "admin@tyrell.example"


async def test_user_without_the_permission_learns_who_can_grant_it(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ANALYST)
    assert page.actions == ["/sign-in/out"], "there is no way to allow access"
    answer = await party.get(party.ask(client))
    text = await answer.text()
    assert answer.status == 403 and "Billing Profiles Admin" in text and "administrator of Acme Rockets" in text
    (location,) = re.findall(r'<a href="([^"]+)"', text)
    assert unescape(location).startswith(f"{CALLBACK}?error=access_denied&")
    assert "Billing+Profiles+Admin" in location and "state=a+state" in location


async def test_user_without_the_permission_can_use_another_account(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ANALYST)
    signed_out = await party.post("/sign-in/out", {"transaction": page.inputs["transaction"]})
    assert signed_out.status == 303
    page = await party.sign_in(party.url + signed_out.headers["Location"], "admin@acme.example")
    assert "code" in await party.decide(page)


async def test_consent_form_of_a_user_without_the_permission_is_refused(party: Party) -> None:
    """Even with a valid transaction."""
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ANALYST)
    form = {"transaction": page.inputs["transaction"], "decision": "allow"}
    answer = await party.post("/sign-in/consent", form)
    assert answer.status == 303 and answer.headers["Location"].startswith("/sign-in/oauth?")
    assert (
        "/sign-in/consent" not in Fields(await (await party.get(party.url + answer.headers["Location"])).text()).actions
    )


async def test_automatic_approval_of_a_user_without_the_permission_is_denied(party: Party) -> None:
    client = (await party.register())["client_id"]
    party.world.identity.auto_approve = ANALYST
    redirect = party.callback_parameters(await party.get(party.ask(client)))
    assert redirect["error"] == "access_denied" and "Billing Profiles Admin" in redirect["error_description"]


@pytest.mark.parametrize(("tool", "names_permission"), [("validate_user", False), ("list_budgets", True)])
async def test_first_call_without_api_access_names_the_plan(tool: str, *, names_permission: bool) -> None:
    """The sign-in works; calls say what is missing, and who can help."""
    user = next(user for user in USERS if user.email == TYRELL_ADMIN)
    async with serving(api=Api(), make=catalog_factory()) as site:
        answer = await site.call(tool, user=user)
    text = answer.result["content"][0]["text"]
    assert answer.result["isError"] and "(HTTP 403)" in text
    assert ("permission" in text) is names_permission
    assert "plan does not include DoiT API access" in text and "account manager" in text


async def test_validate_user_asks_an_employee_with_an_api_token_for_the_customer() -> None:
    token = {"Authorization": f"Bearer {EMPLOYEE.api_token}"}
    async with serving(api=Api(), make=catalog_factory()) as site:
        refused = (await site.call("validate_user", headers=token)).result
        named = (await site.call("validate_user", {"customerContext": EMPLOYEE.customer}, headers=token)).result
    text = refused["content"][0]["text"]
    assert refused["isError"] and "must name a customer" in text and "customerContext" in text
    assert "permission" not in text and named["structuredContent"]["domain"] == "acme.example"


async def test_tool_that_needs_the_customer_id_says_where_it_is() -> None:
    """An API token belongs to one customer, whose id the API does not return."""
    token = {"Authorization": f"Bearer {USERS[0].api_token}"}
    async with serving(api=Api(), make=catalog_factory()) as site:
        text = (await site.call("get_customer", path="/mcp/x/all", headers=token)).result["content"][0]["text"]
        by_oauth = (await site.call("get_customer", path="/mcp/x/all")).result
    assert "customerId is required" in text and "address after /customers/. DoiT employees" in text
    assert by_oauth["structuredContent"]["id"] == USERS[0].customer


async def test_party_of_a_customer_without_api_access_can_sign_in(party: Party) -> None:
    client = (await party.register())["client_id"]
    assert "code" in await party.decide(await party.sign_in(party.ask(client), TYRELL_ADMIN))
