"""Which currency amounts are in: the one that was asked for, else the customer's own."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, TypeVar, cast, get_args

from ..api import Doit
from ..api.common_types import Currency
from ..api.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .partial_results import together

T = TypeVar("T")

AskedCurrency = Annotated[Currency | None, "Currency of the amounts; the customer's own, if left out."]
StatedCurrency = Annotated[str | None, "Of all amounts; null: the account's own currency."]
KNOWN = frozenset(get_args(Currency))


async def own_currency(doit: Doit) -> str | None:
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
    return found if found in KNOWN else None


async def with_currency(doit: Doit, asked: str | None, work: Awaitable[T]) -> tuple[T, str | None]:
    """The result of *work*, and the currency that its amounts are in. Raises what *work* raises."""
    if asked is not None:
        return await work, asked
    parts = await together({"work": work, "currency": own_currency(doit)})
    if "work" in parts.failed:
        raise parts.failed["work"]
    return cast(T, parts.found["work"]), cast(str | None, parts.found.get("currency"))


def asking(config: JsonObject, currency: str | None) -> JsonObject:
    """*config*, with a currency only where one was asked for."""
    return {**config, "currency": currency} if currency else config
