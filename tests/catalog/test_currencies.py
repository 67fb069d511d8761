"""The currency of each cost query: the requested one, or else the customer's, or else US dollars."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Operation
from doit_mcp.catalog.currencies import run_in_currency
from tests.api.recorder import Recorder

from .caller import Caller


class Work:
    """Work in a currency that records which ones it was asked for."""

    def __init__(self, error: ApiError | None = None) -> None:
        self.currencies: list[str] = []
        self.error = error

    async def __call__(self, currency: str) -> str:
        self.currencies.append(currency)
        if self.error is not None:
            raise self.error
        return f"amounts in {currency}"


class Api(Recorder):
    """An API whose responses take a moment, as those of the network do."""

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        await asyncio.sleep(0)
        return await super().send(operation, arguments)


def caller(*answers: Any, tenant: str = "acme") -> tuple[Caller, Recorder]:
    api = Api(*answers)
    api.tenant = tenant
    return Caller(api), api


async def test_the_requested_currency_needs_no_customer() -> None:
    call, api = caller({"settings": {"currency": "EUR"}})
    work = Work()
    assert await run_in_currency(call, "GBP", work) == ("amounts in GBP", "GBP")
    assert work.currencies == ["GBP"] and api.requests == []


async def test_a_requested_currency_is_read_in_any_case_and_unknown_ones_are_refused() -> None:
    work = Work()
    assert await run_in_currency(Caller(Recorder()), " eur", work) == ("amounts in EUR", "EUR")
    with pytest.raises(ApiError, match='currency: "DM" is not supported. Available: USD, ILS') as caught:
        await run_in_currency(Caller(Recorder()), "DM", work)
    assert caught.value.kind == "argument" and work.currencies == ["EUR"]


async def test_another_currency_of_the_customer_repeats_the_work_once() -> None:
    call, api = caller({"settings": {"currency": "EUR"}})
    work = Work()
    assert await run_in_currency(call, None, work) == ("amounts in EUR", "EUR")
    assert sorted(work.currencies) == ["EUR", "USD"]
    assert await run_in_currency(call, None, work) == ("amounts in EUR", "EUR")
    assert len(work.currencies) == 3 and len(api.requests) == 1


async def test_work_in_the_wrong_currency_ends_as_soon_as_the_right_one_is_known() -> None:
    call, _ = caller({"settings": {"currency": "EUR"}})
    ended: list[str] = []

    async def work(currency: str) -> str:
        try:
            # In dollars, it would take forever.
            await asyncio.Event().wait() if currency == "USD" else None
        finally:
            ended.append(currency)
        return f"amounts in {currency}"

    assert await run_in_currency(call, None, work) == ("amounts in EUR", "EUR")
    assert ended == ["USD", "EUR"]


@pytest.mark.parametrize(
    ("customer", "reads"),
    [
        ({"settings": {"currency": "USD"}}, 1),
        ({"settings": {"currency": "XXX"}}, 2),
        ({"settings": None}, 2),
        ({}, 2),
    ],
)
async def test_dollars_are_asked_for_once(customer: Any, reads: int) -> None:
    call, api = caller(customer)
    work = Work()
    for _ in range(2):
        assert await run_in_currency(call, None, work) == ("amounts in USD", "USD")
    assert work.currencies == ["USD", "USD"] and len(api.requests) == reads


@pytest.mark.parametrize(
    ("invoices", "currency"),
    [
        ([{"id": "1", "currency": "JPY"}], "JPY"),
        ([{"id": "1", "currency": "XXX"}], "USD"),
        ([{"id": "1", "currency": 7}], "USD"),
        ([], "USD"),
    ],
)
async def test_a_token_without_a_customer_gets_the_currency_of_the_latest_invoice(invoices: Any, currency: str) -> None:
    call, api = caller({"invoices": invoices}, tenant="")
    for _ in range(2):
        assert await run_in_currency(call, None, Work()) == (f"amounts in {currency}", currency)
    assert len(api.requests) == 1


async def test_the_latest_invoice_shows_the_currency_without_permission_for_the_settings() -> None:
    call, api = caller(ApiError("", kind="forbidden"), {"invoices": [{"id": "1", "currency": "EUR"}]})
    for _ in range(2):
        assert await run_in_currency(call, None, Work()) == ("amounts in EUR", "EUR")
    assert len(api.requests) == 2


@pytest.mark.parametrize(("kind", "reads"), [("forbidden", 2), ("missing", 2), ("timeout", 2), ("rate", 2)])
async def test_a_customer_that_cannot_be_read_gets_dollars(kind: Any, reads: int) -> None:
    """Refusals of settings and invoices are remembered; after any other failure, the next call tries again."""
    call, api = caller(ApiError("", kind=kind))
    for _ in range(2):
        assert await run_in_currency(call, None, Work()) == ("amounts in USD", "USD")
    assert len(api.requests) == reads


async def test_errors_of_the_work_and_of_the_sign_in_are_raised() -> None:
    call, _ = caller({"settings": {"currency": "EUR"}})
    work = Work(ApiError("no", kind="refused", status=400))
    with pytest.raises(ApiError, match="no"):
        await run_in_currency(call, None, work)
    assert work.currencies == ["USD"]
    call, _ = caller(ApiError("", kind="credential", status=401))
    with pytest.raises(ApiError) as caught:
        await run_in_currency(call, None, Work())
    assert caught.value.kind == "credential"
