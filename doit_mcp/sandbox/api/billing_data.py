"""Billing lines of the customers and values computed from them; generated customers share a few sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from ..accounts import Customer
from .costs.calendar_days import day_of_seconds
from .costs.estate_types import Estate
from .costs.estates import estate_of
from .costs.ledger import Ledger

Computed = TypeVar("Computed")
SHARED_VARIANTS = 8  # sets of billing lines for generated customers


class BillingData:
    """The billing lines of an *estate* up to today; *clock* returns epoch seconds."""

    def __init__(self, estate: Estate, *, clock: Callable[[], float], seed: int) -> None:
        self._clock = clock
        self._ledger = Ledger(estate, seed=seed, today=day_of_seconds(clock()))
        self._computed: dict[Callable[[Ledger], Any], tuple[int, Any]] = {}

    @property
    def ledger(self) -> Ledger:
        """Billing lines up to today."""
        self._ledger.extend(day_of_seconds(self._clock()))
        return self._ledger

    def compute_cached(self, make: Callable[[Ledger], Computed]) -> Computed:
        """The result of *make*, a module-level function of the ledger, computed once a day."""
        ledger = self.ledger
        if self._computed.get(make, (0, None))[0] != ledger.last:
            self._computed[make] = (ledger.last, make(ledger))
        found: Computed = self._computed[make][1]
        return found

    def close(self) -> None:
        """Free the memory of the lines."""
        self._ledger.close()


class BillingDataStore:
    """The billing data of all customers, created on first use, which takes about a second."""

    def __init__(self, *, clock: Callable[[], float], seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._books: dict[str, BillingData] = {}
        self._building = Lock()

    async def prepare(self, customer: Customer) -> None:
        """Create the billing data of a customer in a thread, so that the event loop stays free."""
        if _book_name(customer) not in self._books:
            await asyncio.to_thread(self.for_customer, customer)

    def for_customer(self, customer: Customer) -> BillingData:
        """The billing data of a customer; generated customers share theirs."""
        name = _book_name(customer)
        if name not in self._books:
            with self._building:
                if name not in self._books:
                    self._books[name] = self._make(customer)
        return self._books[name]

    def _make(self, customer: Customer) -> BillingData:
        return BillingData(estate_of(customer), clock=self._clock, seed=self._seed + _choose_variant(customer))

    def close(self) -> None:
        """Free all memory."""
        for books in self._books.values():
            books.close()
        self._books.clear()


def _choose_variant(customer: Customer) -> int:
    return 1 + customer.number % SHARED_VARIANTS if customer.number else 0


def _book_name(customer: Customer) -> str:
    return str(_choose_variant(customer) or customer.id)
