"""Asks ten questions of FinOps practitioners over HTTP in the sandbox; each figure is compared with SQL."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from scripts.token_counts import CountTokens, make_tokenizer
from tests.e2e.launch import running_sandbox

from .books import Books
from .questions import QUESTIONS, Question

DEFAULT_DAY = "2026-11-28"
MAX_CALLS = 2
MAX_TOKENS = 2_000
ADMIN = "admin@acme.example"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a question was answered; *differences* are (figure, answer, SQL)."""

    question: Question
    calls: int
    tokens: int
    seconds: float
    differences: tuple[tuple[str, Any, Any], ...]

    @property
    def passed(self) -> bool:
        """Whether the figures are right, and few calls and tokens were enough."""
        return not self.differences and self.calls <= MAX_CALLS and self.tokens <= MAX_TOKENS


class McpSession:
    """Calls tools without a session: each request stands alone."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        self._http, self._url, self._headers = http, url, HEADERS | {"Authorization": f"Bearer {token}"}

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The CallToolResult. Raises RuntimeError if the call fails."""
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments},
        }
        async with self._http.post(self._url, data=orjson.dumps(message), headers=self._headers) as response:
            body = orjson.loads(await response.read())
        result: dict[str, Any] = body.get("result", {"isError": True, "content": body})
        if result.get("isError"):
            raise RuntimeError(f"{tool} failed: {result['content']}")
        return result


async def ask(question: Question, session: McpSession, books: Books, count: CountTokens) -> Outcome:
    """Ask one question and compare the figures of the answer with SQL."""
    begun, results = time.perf_counter(), []
    for tool, arguments in question.calls:
        results.append(await session.call(tool, arguments))
    seconds = time.perf_counter() - begun
    tokens = sum(count(block["text"]) for result in results for block in result["content"])
    answered = question.figures([orjson.loads(result["content"][0]["text"]) for result in results])
    expected = question.expected(books)
    differences = tuple(
        (name, answered.get(name), expected.get(name))
        for name in {**answered, **expected}
        if answered.get(name) != expected.get(name)
    )
    return Outcome(question, len(results), tokens, seconds, differences)


async def ask_all(today: date, count: CountTokens) -> list[Outcome]:
    """Ask every question of a sandbox whose day is *today*."""
    with tempfile.TemporaryDirectory() as directory, closing(Books(today)) as books:
        with running_sandbox(Path(directory), "--today", today.isoformat()) as sandbox:
            async with aiohttp.ClientSession() as http:
                session = McpSession(http, f"{sandbox.base}/mcp/x/all", sandbox.api_tokens[ADMIN])
                return [await ask(question, session, books, count) for question in QUESTIONS]


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print a line for each question, and the figures that differ."""
    for number, outcome in enumerate(outcomes, 1):
        verdict = "ok  " if outcome.passed else "FAIL"
        print(
            f"{number:2}  {verdict}  {outcome.calls} call{'s' if outcome.calls > 1 else ' '}  {outcome.tokens:5,} tokens"
            f"  {outcome.seconds:6.3f} s  {outcome.question.text}"
        )
        for name, answered, expected in outcome.differences:
            print(f"      {name}: the answer says {answered}, SQL says {expected}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask the questions and print the outcomes; exit status 1 if an answer is wrong or too long."""
    parser = argparse.ArgumentParser(
        prog="scripts/finops10",
        description="Ask ten questions of FinOps practitioners over HTTP in the sandbox, and check each figure by SQL.",
    )
    parser.add_argument(
        "--today", default=DEFAULT_DAY, type=date.fromisoformat, help=f"the sandbox's date (default: {DEFAULT_DAY})"
    )
    options = parser.parse_args(arguments)
    outcomes = asyncio.run(ask_all(options.today, make_tokenizer()))
    print_outcomes(outcomes)
    failed = sum(not outcome.passed for outcome in outcomes)
    print(
        f"{len(outcomes) - failed} of {len(outcomes)} questions: right to the cent, within {MAX_CALLS} calls and"
        f" {MAX_TOKENS:,} tokens"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
