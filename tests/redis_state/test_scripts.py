"""The Lua scripts: each file is used, compiles in Redis, and says what its keys are."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

import doit_mcp.redis_state
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.scripts import load_script

SCRIPTS = {entry.name.removesuffix(".lua"): entry for entry in files(doit_mcp.redis_state).joinpath("lua").iterdir()}
MODULES = [path.read_text() for path in Path(doit_mcp.redis_state.__path__[0]).glob("*.py")]


def test_each_script_is_loaded_by_exactly_one_module() -> None:
    assert sorted(name for text in MODULES for name in re.findall(r'load_script\("(\w+)"\)', text)) == sorted(SCRIPTS)


def test_no_module_contains_lua() -> None:
    assert not any("redis.call" in text for text in MODULES)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_documents_its_keys(name: str) -> None:
    assert "\n-- KEYS: " in SCRIPTS[name].read_text("utf-8")


def test_comments_are_not_sent() -> None:
    text = load_script("claim_receipt")
    assert "--" not in text and "\n\n" not in text and text.endswith("return false")


@pytest.mark.parametrize("name", SCRIPTS)
async def test_redis_compiles_each_script(name: str, link: RedisConnection) -> None:
    digest = await link.execute("SCRIPT LOAD", load_script(name))
    assert isinstance(digest, str)
    assert re.fullmatch(r"[0-9a-f]{40}", digest)
