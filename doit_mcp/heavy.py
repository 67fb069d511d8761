"""Heavy work: what takes more than a few milliseconds of CPU runs in a thread, so that the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# One thread: the interpreter runs one at a time anyway, and the event loop has to compete with no more than that.
_WORKER = ThreadPoolExecutor(1, thread_name_prefix="heavy")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of *function*, which must be pure computation: a function that waits would hold up all others.

    Python switches threads between its own instructions only, so no single call of a C function in it may be long.
    """
    return await asyncio.get_running_loop().run_in_executor(_WORKER, lambda: function(*args, **kwargs))
