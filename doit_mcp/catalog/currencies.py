"""The currency of amounts: the one that was requested, otherwise the customer's own."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, TypeVar, cast, get_args

from ..api import Doit
from ..api.common_types import Currency
from ..api.errors import ApiError
from ..api.value_kinds import CurrencyCode
from ..protocol.jsonrpc import JsonObject
from .partial_results import gather_partial

T = TypeVar("T")

CurrencyArgument = Annotated[Currency | None, "Currency of the amounts. Default: the customer's own."]
ResultCurrency = Annotated[str | None, "Currency of all amounts; null: the account's own.", CurrencyCode]
KNOWN_CURRENCIES = frozenset(get_args(Currency))


async def fetch_customer_currency(doit: Doit) -> str | None:
    """Return the customer's currency; None if the customer is unknown or may not be read."""
    if not doit.tenant:
        return None
    try:
        customer = await doit.customers.get_customer()
    except ApiError as error:
        if error.kind == "credential":
            raise
        # The amounts are useful even without it; null means that the currency is unknown.
        return None
    settings = customer.get("settings")
    found = settings.get("currency") if isinstance(settings, dict) else None
    return found if found in KNOWN_CURRENCIES else None


async def resolve_currency(doit: Doit, requested: str | None, work: Awaitable[T]) -> tuple[T, str | None]:
    """Return the result of *work* and the currency of its amounts. Raise what *work* raises."""
    if requested is not None:
        return await work, requested
    parts = await gather_partial({"work": work, "currency": fetch_customer_currency(doit)})
    if "work" in parts.errors:
        raise parts.errors["work"]
    return cast(T, parts.results["work"]), cast(str | None, parts.results.get("currency"))


def add_currency(config: JsonObject, currency: str | None) -> JsonObject:
    """Return *config* with the currency, if one was requested."""
    return {**config, "currency": currency} if currency else config
