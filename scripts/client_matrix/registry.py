"""The clients of the matrix: where each comes from, and what drives it."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import Literal

NPM_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
# npm's name for this machine, such as linux-x64.
PLATFORM = f"{sys.platform}-{NPM_MACHINES.get(platform.machine(), platform.machine())}"


@dataclass(frozen=True, slots=True)
class Client:
    """One version of a client.

    *requirements* are packages of PyPI or npm with exact versions. Without them, the client is among the packages that
    the tests install anyway. *example* is its file in ``examples/agents``; *example_calls* says whether it calls a tool.
    """

    name: str
    version: str
    driver: str
    requirements: tuple[str, ...] = ()
    oauth: bool = False
    example: str | None = None
    example_calls: bool = True

    @property
    def key(self) -> str:
        """Return the name on the command line and of the environment."""
        return f"{self.driver.partition('.')[0].removesuffix('_driver')}-{self.version}"

    @property
    def ecosystem(self) -> Literal["python", "node"]:
        """Return what runs the driver."""
        return "python" if self.driver.endswith(".py") else "node"


def python_sdk(version: str, *more: str) -> Client:
    """Return this version of the Python SDK; *more* are requirements that its own metadata does not state."""
    return Client("Python SDK", version, "python_sdk_driver.py", (f"mcp=={version}", *more), oauth=True)


def typescript_sdk(version: str) -> Client:
    """Return this version of the TypeScript SDK."""
    requirements = (f"@modelcontextprotocol/sdk@{version}",)
    return Client("TypeScript SDK", version, "typescript_sdk_driver.mjs", requirements, oauth=True)


CLIENTS = (
    # These import a private function of Pydantic that later versions lack.
    python_sdk("1.12.4", "pydantic==2.11.10"),
    python_sdk("1.20.0", "pydantic==2.11.10"),
    python_sdk("1.30.0"),
    Client(
        "LangChain",
        "0.3.2",
        "langchain_driver.py",
        ("langchain-mcp-adapters==0.3.2",),
        oauth=True,
        example="langchain_agent.py",
    ),
    Client(
        "LlamaIndex",
        "0.6.0",
        "llamaindex_driver.py",
        ("llama-index-tools-mcp==0.6.0",),
        oauth=True,
        example="llamaindex_agent.py",
    ),
    Client(
        "Pydantic AI",
        "2.68.0",
        "pydantic_ai_driver.py",
        ("pydantic-ai-slim[mcp]==2.68.0",),
        oauth=True,
        example="pydantic_ai_agent.py",
    ),
    # The extra "test" of setup.cfg contains it.
    Client("OpenAI Agents SDK", "0.24.0", "openai_agents_driver.py", example="openai_agents_agent.py"),
    Client(
        "Semantic Kernel",
        "1.45.0",
        "semantic_kernel_driver.py",
        ("semantic-kernel[mcp]==1.45.0",),
        example="semantic_kernel_agent.py",
    ),
    Client("CrewAI", "1.15.30", "crewai_driver.py", ("crewai-tools[mcp]==1.15.30",), example="crewai_agent.py"),
    Client(
        "Agent Development Kit",
        "2.13.0",
        "adk_driver.py",
        ("google-adk[mcp]==2.13.0",),
        example="adk_agent.py",
        example_calls=False,
    ),
    typescript_sdk("1.10.2"),
    typescript_sdk("1.20.2"),
    # package.json of the end-to-end tests contains it.
    Client("Vercel AI SDK", "2.0.99", "vercel_ai_driver.mjs", oauth=True, example="vercel_ai.mjs"),
    # It needs Node.js 22.
    Client(
        "Mastra",
        "2.0.0",
        "mastra_driver.mjs",
        ("@mastra/mcp@2.0.0", "@mastra/core@1.71.0", f"node-{PLATFORM}@22.23.5"),
        example="mastra.mjs",
    ),
)
