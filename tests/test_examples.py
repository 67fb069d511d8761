"""The examples and the commands of the README, run against the sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
from typing import Any

import pytest
import yaml

from tests.e2e.launch import ROOT, Sandbox, running_sandbox

EXAMPLES = ROOT / "examples"
README = (ROOT / "README.rst").read_text("utf-8")
QUICKSTART = (ROOT / "docs" / "quickstart.rst").read_text("utf-8")
ADMIN = "admin@acme.example"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_sandbox(tmp_path_factory.mktemp("examples")) as running:
        yield running


@pytest.fixture
def curl() -> str:
    program = shutil.which("curl")
    if program is None:
        assert os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") != "1", "curl is not installed"
        pytest.skip("curl is not installed")
    return program


async def run(*command: str, **environment: str) -> str:
    """Run a command that must succeed, and return its output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, f"{out.decode()}\n{error.decode()}"
    return out.decode()


def check_breakdown(text: str) -> None:
    """Check a JSON-RPC response to cost_breakdown by service."""
    result = json.loads(text)["result"]
    assert not result.get("isError") and json.loads(result["content"][0]["text"])["rows"]


def curl_command(page: str) -> list[str]:
    (command,) = re.findall(r"(curl http.+? -d '.+?')$", page, re.MULTILINE | re.DOTALL)
    return shlex.split(command.replace("\\\n", " "))


@pytest.mark.parametrize("page", [README, QUICKSTART], ids=["README.rst", "quickstart.rst"])
async def test_curl_command_in_the_docs(sandbox: Sandbox, curl: str, page: str) -> None:
    _, address, *rest = curl_command(page)
    assert address == "http://127.0.0.1:8080/mcp"
    check_breakdown(await run(curl, "--silent", "--show-error", sandbox.mcp, *rest))


@pytest.mark.usefixtures("curl")
async def test_curl_example(sandbox: Sandbox) -> None:
    # Without a token in the environment, the script uses the one of the sandbox's admin.
    check_breakdown(await run(str(EXAMPLES / "curl.sh"), DOIT_MCP_URL=sandbox.mcp, DOIT_API_KEY=""))


async def test_python_example(sandbox: Sandbox) -> None:
    token = sandbox.api_tokens[ADMIN]
    printed = await run(
        sys.executable, str(EXAMPLES / "python_client.py"), DOIT_MCP_URL=sandbox.mcp, DOIT_API_KEY=token
    )
    first, _, answer = printed.partition("\n")
    assert re.fullmatch(r"\d+ tools with protocol 2026-07-28", first)
    assert len(json.loads(answer)["months"]) == 3


def test_compose_example_installs_the_image_and_starts_the_sandbox() -> None:
    (service,) = yaml.safe_load((EXAMPLES / "compose.yaml").read_text("utf-8"))["services"].values()
    shell, flag, script = service["command"]
    assert (shell, flag) == ("sh", "-c")
    copied = {word.removeprefix("/checkout/") for word in shlex.split(script) if word.startswith("/checkout/")}
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert copied | {"deploy/requirements.txt"} == {name for line in sources for name in line.split()}
    assert service["volumes"] == ["..:/checkout:ro"] and service["network_mode"] == "host"
    assert script.endswith("exec doit-mcp sandbox")
