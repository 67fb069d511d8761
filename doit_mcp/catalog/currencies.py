"""The currency of amounts: the one that was requested, otherwise the customer's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar, get_args

from ..api.common_types import Currency
from ..api.errors import ApiError
from ..api.value_kinds import CurrencyCode
from ..process.task_cancellation import cancel_tasks
from ..protocol.json_schema import Length, short_json
from ..protocol.jsonrpc import JsonObject
from .call import Call

T = TypeVar("T")

CurrencyArgument = Annotated[str | None, "Such as EUR. Default: the customer's own.", Length(3, 3)]
"""Open text, because the list of currencies in each cost tool would be many tokens; parse_currency() checks it."""
StatedCurrency = Annotated[str, CurrencyCode]
DEFAULT_CURRENCY = "USD"
CURRENCY_FACT = "currency"
KNOWN_CURRENCIES = frozenset(get_args(Currency))


def parse_currency(text: str | None, argument: str = "currency") -> str | None:
    """Return the code of a requested currency in upper case; None for none. Raise ApiError, which lists the codes."""
    code = None if text is None else text.strip().upper()
    if code is not None and code not in KNOWN_CURRENCIES:
        listed = ", ".join(get_args(Currency))
        raise ApiError(f"{argument}: {short_json(text)} is not supported. Available: {listed}", kind="argument")
    return code


async def run_in_currency(
    call: Call, requested: str | None, work: Callable[[str], Coroutine[Any, Any, T]]
) -> tuple[T, str]:
    """Return the result of *work* for a currency, and that currency. Raise what *work* raises.

    It is the *requested* one, or else the customer's. While that is unknown, *work* runs for US dollars while the
    customer is read, and starts again if the customer has another currency. Without access to the customer, it is US
    dollars.
    """
    known: str | None = parse_currency(requested) or call.facts.get(CURRENCY_FACT)
    if known is None and not call.doit.tenant:
        # The customer is unknown, so there is nothing to read.
        known = DEFAULT_CURRENCY
    if known is not None:
        return await work(known), known
    in_dollars = asyncio.create_task(work(DEFAULT_CURRENCY))
    try:
        currency = await _read_currency(call)
        has_failed = in_dollars.done() and in_dollars.exception() is not None
        if has_failed or currency == DEFAULT_CURRENCY:
            return await in_dollars, currency
    finally:
        # Work can take minutes, so it does not go on if its currency is not the customer's.
        await cancel_tasks(in_dollars)
    return await work(currency), currency


async def _read_currency(call: Call) -> str:
    """Return the customer's currency and remember it; US dollars if the customer cannot be read."""
    try:
        customer = await call.doit.customers.get_customer()
    except ApiError as error:
        if error.kind == "credential":
            raise
        if error.kind in ("forbidden", "missing"):
            call.facts.put(CURRENCY_FACT, DEFAULT_CURRENCY)
        # The answer states that it is in US dollars. Other failures are temporary, so the next call tries again.
        return DEFAULT_CURRENCY
    currency = customer_currency(customer) or DEFAULT_CURRENCY
    call.facts.put(CURRENCY_FACT, currency)
    return currency


def customer_currency(customer: JsonObject) -> str | None:
    """Return the currency in the settings of a *customer*; None without one, or if it is unknown."""
    settings = customer.get("settings")
    currency = settings.get("currency") if isinstance(settings, dict) else None
    return currency if currency in KNOWN_CURRENCIES else None
