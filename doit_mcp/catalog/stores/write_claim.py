"""The claim of one write, which its call releases while it waits for the user."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from .write_receipts import Receipt, ReceiptStore

T = TypeVar("T")


class DoneMeanwhile(Exception):
    """An equal write ended, with this *receipt*, while the call waited for the user."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("an equal write ended meanwhile")
        self.receipt = receipt


@dataclass(slots=True)
class WriteClaim:
    """A claim of the write *key* of *owner* in *receipts*. *is_held* is whether the call holds it now."""

    receipts: ReceiptStore
    owner: str
    key: str
    idempotent: bool
    is_held: bool = True

    async def run_without(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of *work*, during which equal calls may claim the write.

        Raises DoneMeanwhile if one of them completed it, and ToolError like :meth:`ReceiptStore.claim`.
        """
        self.is_held = False
        await asyncio.shield(self.receipts.settle(self.owner, self.key, None))
        result = await work()
        receipt = await self.receipts.claim(self.owner, self.key, idempotent=self.idempotent)
        if receipt is not None:
            raise DoneMeanwhile(receipt)
        self.is_held = True
        return result
