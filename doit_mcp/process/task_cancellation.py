"""Cancellation of asyncio tasks."""

from __future__ import annotations

import asyncio
from typing import Any


async def cancel_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel *tasks* and wait until all of them have ended. Their results and exceptions are discarded."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
