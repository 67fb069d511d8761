"""Which currency amounts are in: the one that was asked for, else the customer's own."""

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

CurrencyArgument = Annotated[Currency | None, "Currency of the amounts; the customer's own, if left out."]
ResultCurrency = Annotated[str | None, "Of all amounts; null: the account's own currency.", CurrencyCode]
KNOWN_CURRENCIES = frozenset(get_args(Currency))


async def fetch_customer_currency(doit: Doit) -> str | None:
    """The customer's currency; None where the customer is not known, or may not be read."""
    if not doit.tenant:
        return None
    try:
        customer = await doit.customers.get_customer()
    except ApiError as error:
        if error.kind == "credential":
            raise
        # The amounts are worth showing without it; null says that it is not known.
        return None
    settings = customer.get("settings")
    found = settings.get("currency") if isinstance(settings, dict) else None
    return found if found in KNOWN_CURRENCIES else None


async def resolve_currency(doit: Doit, requested: str | None, work: Awaitable[T]) -> tuple[T, str | None]:
    """The result of *work*, and the currency that its amounts are in. Raises what *work* raises."""
    if requested is not None:
        return await work, requested
    parts = await gather_partial({"work": work, "currency": fetch_customer_currency(doit)})
    if "work" in parts.errors:
        raise parts.errors["work"]
    return cast(T, parts.results["work"]), cast(str | None, parts.results.get("currency"))


def add_currency(config: JsonObject, currency: str | None) -> JsonObject:
    """*config*, with a currency only where one was asked for."""
    return {**config, "currency": currency} if currency else config
