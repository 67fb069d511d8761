"""Users and customers of the sandbox: built-in ones, and generated ones, which are not stored."""

from __future__ import annotations

import aiohttp
import pytest

from doit_mcp.catalog.registry import all_tools
from doit_mcp.sandbox.accounts import (
    ACME,
    CUSTOMERS,
    DEFAULT_DIRECTORY,
    GLOBEX,
    MAX_EXTRA_CUSTOMERS,
    USERS,
    AccountDirectory,
    permission_names,
)
from doit_mcp.sandbox.console_api import search_customers
from doit_mcp.sandbox.server import run_sandbox

from .conftest import BASE, SECRET, Clock, NoApi, Party
from .identity.test_exchange import exchange_token, whoami

MANY = AccountDirectory(MAX_EXTRA_CUSTOMERS)


def test_named_accounts_always_exist() -> None:
    for directory in (DEFAULT_DIRECTORY, MANY):
        assert directory.customers(0, len(CUSTOMERS)) == list(CUSTOMERS)
        for user in USERS:
            assert directory.user_by_email(f" {user.email.upper()}") == directory.user_by_token(user.api_token) == user
        assert [user.email for user in directory.users_of(ACME)] == [
            "admin@acme.example",
            "viewer@acme.example",
            "analyst@acme.example",
        ]
        assert directory.customer_by_domain(GLOBEX.domain) == directory.customer_by_id(GLOBEX.id) == GLOBEX


@pytest.mark.parametrize("number", [1, 2, 777, MAX_EXTRA_CUSTOMERS])
def test_generated_customer_has_a_consistent_user(number: int) -> None:
    (customer,) = MANY.customers(len(CUSTOMERS) - 1 + number, len(CUSTOMERS) + number)
    (user,) = MANY.users_of(customer)
    assert customer.number == number and user.customer == customer.id
    assert MANY.customer_by_id(customer.id) == MANY.customer_by_domain(customer.domain) == customer
    assert MANY.user_by_email(user.email.upper()) == MANY.user_by_token(user.api_token) == user
    assert user.permissions == USERS[0].permissions and not user.employee
    just, less = AccountDirectory(number), AccountDirectory(number - 1)
    assert just.customer_by_id(customer.id) == customer and len(just) == number + len(CUSTOMERS)
    assert less.customer_by_id(customer.id) is None
    assert less.user_by_email(user.email) is less.user_by_token(user.api_token) is None


def test_the_administrator_has_every_permission_that_a_tool_names() -> None:
    needed = {permission.name for tool in all_tools() if (permission := tool.facts.get("permission"))} - {""}
    assert len(needed) >= 9 and needed <= set(permission_names(USERS[0]))


def test_accounts_are_unique() -> None:
    directory = AccountDirectory(300)
    customers = directory.customers(0, 1000)
    assert len(customers) == len(directory) == 300 + len(CUSTOMERS)
    users = [user for customer in customers for user in directory.users_of(customer)]
    for name in ("email", "password", "api_token"):
        assert len({getattr(user, name) for user in users}) == len(users) == 300 + len(USERS) - 1
    assert len({item.id for item in customers}) == len({item.domain for item in customers}) == 300 + len(CUSTOMERS)


@pytest.mark.parametrize(
    "text",
    [
        "load000000",
        "load00001",
        "load0000001",
        "load٠٠٠٠٠١",
        "load000001\n",
        "Load000001",
        "load",
        "",
        "\udcff",
    ],
)
def test_unknown_accounts_do_not_exist(text: str) -> None:
    assert MANY.customer_by_id(text) is None
    assert MANY.user_by_token(text) is None and MANY.user_by_email(text) is None


@pytest.mark.parametrize("number", [-1, MAX_EXTRA_CUSTOMERS + 1])
def test_account_count_is_bounded(number: int) -> None:
    with pytest.raises(ValueError, match=str(MAX_EXTRA_CUSTOMERS)):
        AccountDirectory(number)


def test_employees_can_access_all_customers() -> None:
    directory = AccountDirectory(5)
    pages = [search_customers({"pageSize": 3, "pageToken": token}, directory) for token in ("0", "3", "6")]
    assert [row["id"] for page in pages for row in page["customers"]] == [item.id for item in directory.customers(0, 9)]
    assert [page.get("pageToken") for page in pages] == ["3", "6", None]
    assert {page["rowCount"] for page in pages} == {len(CUSTOMERS) + 5}
    named = search_customers(
        {"filters": {"domains": ["load-000004.example", "load-000006.example", ACME.domain, 1]}}, directory
    )
    assert [row["name"] for row in named["customers"]] == ["Load 4", ACME.name] and named["rowCount"] == 2


async def test_generated_users_sign_in_like_named_ones(clock: Clock) -> None:
    directory = AccountDirectory(2)
    async with run_sandbox(resource_url=BASE, secret=SECRET, clock=clock, api=NoApi(), directory=directory) as sandbox:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            party = Party(sandbox, http)
            client = (await party.register())["client_id"]
            tokens = await party.login(client, "admin@load-000002.example")
            # Already signed in, so the page asks for consent and names the customer.
            assert "<p>Load 2</p>" in await (await party.get(party.ask(client))).text()
            token = (await exchange_token(party, clock, tokens["access_token"]))["access_token"]
            assert await whoami(party, token) == {"email": "admin@load-000002.example", "customer": "load000002"}
