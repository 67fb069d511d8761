"""Fixtures for tests of the sandbox API: a server on a fixed day, and a client that validates every response."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from doit_mcp.sandbox.accounts import User, user_by_email
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.server import run_sandbox
from tests import api_document

from ..conftest import BASE, SECRET, Clock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


def user(email: str) -> User:
    """The sandbox user with this email address."""
    user_found = user_by_email(email)
    assert user_found is not None
    return user_found


ADMIN, VIEWER = user("admin@acme.example"), user("viewer@acme.example")
GLOBEX, EMPLOYEE = user("admin@globex.example"), user("employee@doit.example")
UMBRA = user("admin@umbra.example")


VALIDATE = "/auth/v1/validate"


@dataclass(slots=True)
class Answer:
    """A complete response."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Party:
    """A client of the API; responses are validated against the API document if it is available."""

    url: str
    api: Api
    http: aiohttp.ClientSession

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        who: User | None = ADMIN,
        headers: dict[str, str] | None = None,
        declared: bool = True,
        **query: object,
    ) -> Answer:
        """The response to a request; *declared* says that the API document has the operation; bytes are sent unchanged.

        Employees name their customer, unless *headers* or *query* name another.
        """
        auth_headers = {"Authorization": f"Bearer {who.api_token}"} if who else {}
        if who is not None and who.employee and path != VALIDATE and "customerContext" not in query:
            auth_headers["X-Tenant-Id"] = who.customer
        parameters = {name: str(value) for name, value in query.items()}
        sending: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.http.request(
            method, self.url + path, **sending, params=parameters, headers={**auth_headers, **(headers or {})}
        ) as response:
            answer = Answer(response.status, response.headers, await response.read())
        if declared:
            wrong = api_document.problems(method, path, answer.status, response.content_type, answer.body)
            assert not wrong, (method, path, answer.status, wrong, answer.body[:2000])
        return answer

    async def get(self, path: str, who: User = ADMIN, **query: object) -> Any:
        """The JSON of a response with status 200."""
        answer = await self.send("GET", path, who=who, **query)
        assert answer.status == 200, answer
        return answer.json

    async def expect_error(self, status: int, method: str, path: str, body: object = None, **options: Any) -> str:
        """The message of an error response with this *status* in the simple shape."""
        answer = await self.send(method, path, body, **options)
        assert answer.status == status, answer
        assert set(answer.json) == {"error"}, answer
        message: str = answer.json["error"]
        return message

    async def query(self, who: User = ADMIN, **config: object) -> Any:
        """The result of a query."""
        answer = await self.send("POST", "/analytics/v1/reports/query", {"config": config}, who=who)
        assert answer.status == 200, answer
        return answer.json["result"]

    async def cost(self, who: User = ADMIN, **config: object) -> float:
        """The sum of the cost column of a query."""
        result = await self.query(who, **config)
        at = [column["name"] for column in result["schema"]].index("cost")
        return round(sum(row[at] for row in result["rows"]), 2)

    async def walk(self, path: str, items: str, size: int, **query: object) -> list[Any]:
        """All items of a list, page by page."""
        collected: list[Any] = []
        token = ""
        while True:
            page = await self.get(path, maxResults=size, **query, **({"pageToken": token} if token else {}))
            assert len(page[items]) <= size and page["rowCount"] in (None, len(page[items]))
            collected += page[items]
            token = page.get("pageToken") or ""
            if not token:
                return collected


@pytest.fixture
def clock() -> Clock:
    """A clock set to noon of a day in the middle of a month."""
    test_clock = Clock()
    test_clock.now = NOON
    return test_clock


@pytest.fixture
async def party(clock: Clock) -> AsyncIterator[Party]:
    """A client of a new sandbox."""
    api = Api(clock=clock)
    async with run_sandbox(resource_url=BASE, secret=SECRET, clock=clock, api=api) as sandbox:
        async with aiohttp.ClientSession() as http:
            yield Party(sandbox.url, api, http)
