"""The sandbox server: one port, JSON errors, and the interface between the provider and the API."""

from __future__ import annotations

import logging

import pytest

from doit_mcp.sandbox.accounts import USERS, User
from doit_mcp.sandbox.server import run_sandbox

from .conftest import BASE, SECRET, NoApi, Party


async def test_url_is_the_issuer_on_loopback(party: Party) -> None:
    assert party.url.startswith("http://127.0.0.1:") and not party.url.endswith("/")
    assert party.world.identity.issuer == party.url


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/.well-known/oauth-authorization-server/mcp", 404),
        ("PUT", "/whoami", 405),
        ("GET", "/api/auth/token", 405),
        ("GET", "/whoami", 401),
    ],
)
async def test_errors_are_json(party: Party, method: str, path: str, status: int) -> None:
    async with party.http.request(method, party.url + path) as answer:
        assert (answer.status, answer.content_type) == (status, "application/json")
        assert (await answer.json())["error"]
        assert ("Allow" in answer.headers) == (status == 405)


async def test_bug_is_a_plain_500_and_a_log_line(party: Party, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await party.get(f"{party.url}/broken")
    assert (answer.status, await answer.json()) == (500, {"error": "Internal Server Error"})
    assert "a bug" in caplog.text


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.email)
async def test_api_tokens_identify_their_users(party: Party, user: User) -> None:
    headers = {"Authorization": f"Bearer {user.api_token}"}
    async with party.http.get(f"{party.url}/whoami", headers=headers) as answer:
        # An employee's token alone does not choose a customer.
        customer = "" if user.employee else user.customer
        assert await answer.json() == {"email": user.email, "customer": customer}


async def test_api_rejects_access_tokens(party: Party) -> None:
    for token in (party.world.identity.mint(USERS[0]), "", "nonsense", "\udcff", "x" * 100_000):
        assert party.world.identity.lookup(token) is None


async def test_two_sandboxes_are_isolated(party: Party) -> None:
    async with run_sandbox(resource_url=BASE, secret=SECRET, api=NoApi()) as other:
        assert other.url != party.url
        assert other.identity.signing.read_claims(party.world.identity.mint(USERS[0])) is None


async def test_port_in_use_is_an_error_and_the_port_is_released(party: Party) -> None:
    port = int(party.url.rpartition(":")[2])
    with pytest.raises(OSError):
        async with run_sandbox(resource_url=BASE, secret=SECRET, port=port, api=NoApi()):
            raise AssertionError("never entered")
    async with run_sandbox(resource_url=BASE, secret=SECRET, api=NoApi()) as first:
        again = int(first.url.rpartition(":")[2])
    async with run_sandbox(resource_url=BASE, secret=SECRET, port=again, api=NoApi()) as second:
        assert second.url == first.url


async def test_sandbox_can_listen_on_ipv6_loopback() -> None:
    async with run_sandbox(resource_url=BASE, secret=SECRET, host="::1", api=NoApi()) as sandbox:
        assert sandbox.url.startswith("http://[::1]:")
