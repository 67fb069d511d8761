"""Calls leave no reference cycles behind. Objects in a cycle live until the garbage collector runs, and it has to
traverse everything they refer to."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.sandbox.api import Api
from tests.transports.http.serving import LATEST_STATEFUL, Json, Site, schema, serving

CALLS = 5


async def budgets(call: Call, arguments: Json) -> Json:
    """A typical tool: it requests the API and reports progress."""
    await call.report_progress(1, 2, "half")
    return {"found": len((await call.doit.budgets.list_budgets())["budgets"])}


@asynccontextmanager
async def asking_the_api() -> AsyncIterator[Site]:
    tool = Tool("budgets", "Budgets", "Counts budgets", schema(), budgets, {"type": "object"})
    async with serving(changes={"tools": (tool,)}, api=Api()) as site:
        yield site


@contextmanager
def collect_leftovers(left: Counter[str]) -> Iterator[None]:
    """Count, by type, the product's objects that only the garbage collector could free while the block ran."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left.update(
            f"{type(item).__module__}.{type(item).__qualname__}"
            for item in gc.garbage
            if type(item).__module__.startswith("doit_mcp")
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("streamed", [False, True])
async def test_stateless_call_leaves_no_garbage(streamed: bool) -> None:
    meta = {"progressToken": "t"} if streamed else {}
    leftovers: Counter[str] = Counter()
    async with asking_the_api() as site:
        assert (await site.call("budgets", **meta)).result["structuredContent"]["found"] > 0
        with collect_leftovers(leftovers):
            for _ in range(CALLS):
                await site.call("budgets", **meta)
    assert leftovers == {}


@pytest.mark.parametrize("streamed", [False, True])
async def test_session_call_leaves_no_garbage(streamed: bool) -> None:
    leftovers: Counter[str] = Counter()
    async with asking_the_api() as site:
        session = await site.initialize(LATEST_STATEFUL)
        token = "t" if streamed else None
        assert (await session.call("budgets", token=token)).result["structuredContent"]["found"] > 0
        with collect_leftovers(leftovers):
            for _ in range(CALLS):
                await session.call("budgets", token=token)
    assert leftovers == {}


def test_serving_process_freezes_its_startup_objects() -> None:
    """Runs in a process of its own, because freezing objects is permanent."""
    code = (
        "import gc; from doit_mcp.process.memory import GC_THRESHOLDS;"
        " from doit_mcp.transports.http.runner import freeze_heap; freeze_heap();"
        " assert gc.get_threshold() == GC_THRESHOLDS and gc.get_freeze_count() > 10_000 and gc.isenabled()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
