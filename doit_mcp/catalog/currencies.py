"""The currency of amounts: the one that was requested, otherwise the customer's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar, get_args

from ..api.common_types import Currency
from ..api.errors import ApiError
from ..api.pagination import parse_page
from ..api.value_kinds import CurrencyCode
from ..process.task_cancellation import cancel_tasks
from ..protocol.json_schema import Length, short_json
from ..protocol.jsonrpc import JsonObject
from .call import Call

T = TypeVar("T")

CurrencyArgument = Annotated[str | None, "Such as EUR. Default: the customer's own.", Length(3, 3)]
"""Not an enum, because the list of currencies in each cost tool would take many tokens; parse_currency() checks it."""
StatedCurrency = Annotated[str, CurrencyCode]
DEFAULT_CURRENCY = "USD"
CURRENCY_FACT = "currency"
KNOWN_CURRENCIES = frozenset(get_args(Currency))


def parse_currency(text: str | None, argument: str = "currency") -> str | None:
    """Return the code of a requested currency in upper case; None for None. Raise ApiError, which lists the codes."""
    code = None if text is None else text.strip().upper()
    if code is not None and code not in KNOWN_CURRENCIES:
        listed = ", ".join(get_args(Currency))
        raise ApiError(f"{argument}: {short_json(text)} is not supported. Available: {listed}", kind="argument")
    return code


async def run_in_currency(
    call: Call, requested: str | None, work: Callable[[str], Coroutine[Any, Any, T]]
) -> tuple[T, str]:
    """Return the result of *work* for a currency, and that currency. Raise what *work* raises.

    It is the *requested* one, or else the customer's. If that is not cached, *work* runs in US dollars while the
    currency is read, and starts again if the customer has another one.
    """
    known: str | None = parse_currency(requested) or call.facts.get(CURRENCY_FACT)
    if known is not None:
        return await work(known), known
    in_dollars = asyncio.create_task(work(DEFAULT_CURRENCY))
    try:
        currency = await _read_currency(call)
        has_failed = in_dollars.done() and in_dollars.exception() is not None
        if has_failed or currency == DEFAULT_CURRENCY:
            return await in_dollars, currency
    finally:
        # Work can take minutes, so cancel it if its currency is not the customer's.
        await cancel_tasks(in_dollars)
    return await work(currency), currency


async def _read_currency(call: Call) -> str:
    """Return the customer's currency and remember it; US dollars if neither the settings nor an invoice shows it.

    Raise ApiError if the sign-in is refused. The settings require the customer's id, which a DoiT API token does not
    contain, and a permission that not all users have. The latest invoice is in the same currency.
    """
    readers = [_read_settings_currency] if call.doit.tenant else []
    for read in (*readers, _read_invoice_currency):
        try:
            currency = await read(call)
        except ApiError as error:
            if error.kind == "credential":
                raise
            if error.kind not in ("forbidden", "missing"):
                # The failure is temporary, so the next call tries again. The answer states that it is in US dollars.
                return DEFAULT_CURRENCY
            continue
        if currency is not None:
            call.facts.put(CURRENCY_FACT, currency)
            return currency
    call.facts.put(CURRENCY_FACT, DEFAULT_CURRENCY)
    return DEFAULT_CURRENCY


async def _read_settings_currency(call: Call) -> str | None:
    return customer_currency(await call.doit.customers.get_customer())


async def _read_invoice_currency(call: Call) -> str | None:
    page = parse_page(await call.doit.invoices.list_invoices(maxResults=1), "invoices")
    return next((_check_currency(row.get("currency")) for row in page.rows), None)


def customer_currency(customer: JsonObject) -> str | None:
    """Return the currency in the settings of a *customer*; None without one, or if it is unknown."""
    settings = customer.get("settings")
    return _check_currency(settings.get("currency")) if isinstance(settings, dict) else None


def _check_currency(code: Any) -> str | None:
    return code if isinstance(code, str) and code in KNOWN_CURRENCIES else None
