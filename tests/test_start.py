"""The start of the serving process: what it loads, and how often the garbage collector runs meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

# As doit_mcp.cli.serve, without its socket.
LOAD = """
import gc, json, sys
runs = []
from doit_mcp import cli
from doit_mcp.process.memory import collect_less_often
collect_less_often()
gc.callbacks.append(lambda phase, info: runs.append(phase))
from doit_mcp.settings import Settings
from doit_mcp.transports.http.main_app import make_main_app
make_main_app(Settings(exchange_secret="x" * 40))
print(json.dumps({"modules": sorted(sys.modules), "collections": runs.count("start")}))
"""
MAX_COLLECTIONS = 40
UNUSED = (
    *("babel", "docutils", "jinja2", "jsonschema", "mcp", "opentelemetry", "redis", "doit_mcp.sandbox"),
    *(
        "rapidfuzz",
        "doit_mcp.transports.stdio",
        "doit_mcp.transports.http.redis_wiring",
        "doit_mcp.redis_state.connection",
    ),
)


@cache
def loaded() -> dict[str, Any]:
    """Return the names of the loaded modules, and the number of collections since main started."""
    result = subprocess.run([sys.executable, "-c", LOAD], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("module", UNUSED)
def test_start_does_not_load(module: str) -> None:
    assert [name for name in loaded()["modules"] if name == module or name.startswith(f"{module}.")] == []


def test_few_collections_while_modules_load() -> None:
    """With Python's default thresholds there are more than 200."""
    assert loaded()["collections"] <= MAX_COLLECTIONS
