"""The examples for agent frameworks that install quickly, run with the frameworks themselves against the sandbox."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.e2e.answers import ADMIN
from tests.e2e.launch import ROOT, Sandbox
from tests.e2e.node_packages import environment, run
from tests.e2e.python_packages import install

EXAMPLES = ROOT / "examples" / "agents"
# The extra "test" contains the OpenAI Agents SDK.
REQUIREMENTS = {
    "langchain": ("langchain-mcp-adapters==0.3.2",),
    "pydantic_ai": ("pydantic-ai-slim[mcp]==2.68.0",),
    "openai_agents": (),
}
DEFAULT_TOOLS = 26


async def check(sandbox: Sandbox, home: Path, *command: str) -> None:
    """Run an example, which lists the tools and calls cost_trend for three months."""
    variables = environment(home, DOIT_MCP_URL=sandbox.mcp, DOIT_API_KEY=sandbox.api_tokens[ADMIN])
    done = await run(command, env=variables, limit=100)
    assert done.status == 0, str(done)
    first, _, answer = done.out.partition("\n")
    assert first == f"{DEFAULT_TOOLS} tools", str(done)
    assert len(set(re.findall(r"period\W+(20\d\d-\d\d)\b", answer))) == 3, str(done)


# Installing the packages can take minutes on a busy machine.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", REQUIREMENTS)
async def test_python_example(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    python = install(name, *REQUIREMENTS[name]) if REQUIREMENTS[name] else Path(sys.executable)
    await check(sandbox, tmp_path, str(python), str(EXAMPLES / f"{name}_agent.py"))


async def test_vercel_ai_example(sandbox: Sandbox, node: Path, tmp_path: Path) -> None:
    # Node finds packages from the folder of a script, so the example runs beside the installed ones.
    copy = node / "node_modules" / "vercel_ai_example.mjs"
    copy.write_bytes((EXAMPLES / "vercel_ai.mjs").read_bytes())
    await check(sandbox, tmp_path, "node", str(copy))


def test_every_example_is_on_the_page_about_frameworks() -> None:
    page = (ROOT / "docs" / "clients" / "agent-frameworks.rst").read_text("utf-8")
    examples = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".mjs")}
    assert examples == set(re.findall(r"literalinclude:: \.\./\.\./examples/agents/(\S+)", page))
