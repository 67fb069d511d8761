"""Results with secrets: offered only if the setting allows it, shown once, and stored nowhere.

Each test looks for a new API token in a place that remembers results: receipts of writes, records of streams, tasks,
messages between replicas, and logs; in memory, and in Redis.
"""

from __future__ import annotations

import gc
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from doit_mcp.catalog.stores.customer_facts import CustomerFacts
from doit_mcp.catalog.stores.result_store import MemoryResultStore
from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.catalog.writes.deduplication import ALREADY_DONE_KEY
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.service_tokens import PREFIX
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.event_store import MemoryEventStore
from doit_mcp.server.memory_sessions import MemorySessions
from doit_mcp.server.tasks import MemoryTasks
from doit_mcp.transports.http.post_response import RESPONSE_WITHHELD, make_withheld_errors
from tests.redis_state.conftest import redis, redis_program
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica, at_replica, replicas
from tests.transports.http.serving import META, Answer, Json, Session, Site, serving
from tests.transports.http.streaming import Stream, open_stream
from tests.transports.http.test_legacy_sse import open_stream as open_legacy_stream

__all__ = ["redis", "redis_program"]
CREATE, LIST = "create_service_account_token", "list_service_account_tokens"
SECRET_TOOLS = (CREATE, "create_signup_session", "verify_signup_request")
STORES = (MemoryReceiptStore, MemoryResultStore, MemoryEventStore, MemoryTasks, MemorySessions, CustomerFacts)
CONTAINERS = (dict, list, tuple, set, frozenset, deque)
CATALOG = catalog_factory(offer_secrets=True)(Selection(frozenset({"all"})), False)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product with the setting on."""
    async with serving(make=catalog_factory(offer_secrets=True), api=Api()) as server:
        yield server


def strings_of_stores() -> Iterator[str]:
    """All texts that the stores of this process refer to."""
    seen: set[int] = set()
    waiting: list[Any] = [found for found in gc.get_objects() if isinstance(found, STORES)]
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, bytes | bytearray):
            yield found.decode("utf-8", "replace")
        elif isinstance(found, str):
            yield found
        # Not the event loop, from which the sandbox and the client of the test can be reached.
        elif isinstance(found, CONTAINERS) or type(found).__module__.startswith("doit_mcp."):
            waiting += [part for part in gc.get_referents(found) if not isinstance(part, type)]


async def make_arguments(site: Site, name: str = "ci") -> Json:
    """The arguments for a new token of the sandbox's service account."""
    accounts = (await site.call("list_service_accounts")).result["structuredContent"]["items"]
    return {"serviceAccountId": accounts[0]["id"], "name": name}


async def count_tokens(site: Site, arguments: Json) -> int:
    """The number of tokens besides the one that the account has from the start."""
    listed = await site.call(LIST, {"serviceAccountId": arguments["serviceAccountId"]})
    return sum(token["name"] != "warehouse" for token in listed.result["structuredContent"]["items"])


def secret_in(answer: Json) -> str:
    """The secret in the response to a call."""
    secret: str = json.loads(answer["result"]["content"][0]["text"])["accessToken"]
    assert secret.startswith(PREFIX)
    return secret


async def test_tools_do_not_exist_by_default() -> None:
    async with serving(make=catalog_factory(), api=Api()) as site:
        listed = (await site.send_stateless("tools/list", path="/mcp/x/all")).result["tools"]
        assert not {tool["name"] for tool in listed} & set(SECRET_TOOLS)
        for name in SECRET_TOOLS:
            assert (await site.call(name, {})).error["code"] == -32602
            found = await site.call("call_operation", {"name": name, "input": {}})
            assert found.result["isError"] and "unknown operation" in found.result["content"][0]["text"]
        found = await site.call("find_operation", {"query": "create service account token", "limit": 5})
        described = found.result["structuredContent"]
        names = {operation["name"] for operation in described["operations"]} | set(described.get("more", ()))
        assert "update_service_account_token" in names and not names & set(SECRET_TOOLS)


async def test_setting_offers_them(site: Site) -> None:
    listed = (await site.send_stateless("tools/list", path="/mcp/x/all")).result["tools"]
    assert {tool["name"] for tool in listed} >= set(SECRET_TOOLS)


async def test_receipts_have_no_secret(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    arguments = await make_arguments(site)
    secret = secret_in((await site.apply(CREATE, arguments)).body)
    repeated = (await site.call(CREATE, arguments)).result["structuredContent"]
    assert "accessToken" not in repeated and "shown only once" in repeated[ALREADY_DONE_KEY]
    assert repeated["name"] == "ci" and await count_tokens(site, arguments) == 1
    texts = list(strings_of_stores())
    assert any(repeated["id"] in text for text in texts), "the receipt has the rest of the result"
    assert not any(secret in text for text in texts)
    assert "write" in caplog.messages and secret not in caplog.text
    assert not any(secret in repr(vars(record)) for record in caplog.records)


async def test_trial_run_has_no_secret(site: Site) -> None:
    arguments = await make_arguments(site)
    result = (await site.call(CREATE, arguments | {"dryRun": True})).result["structuredContent"]
    assert result["accessToken"] == "" and "id" not in result and await count_tokens(site, arguments) == 0


async def create_on_stream(session: Session, arguments: Json) -> tuple[str, str]:
    """Create a token in a session whose client is asked first.

    Return the secret, and the id of the event with the question.
    """
    message = session.site.request("tools/call", {"name": CREATE, "arguments": arguments}, "create")
    headers = session.site.headers(**session.head)
    async with open_stream(session.site, message, headers, session.revision) as stream:
        event = await stream.event()
        while not event.data:
            event = await stream.event()
        question = event.data
        assert "elicitation/create" in question and event.id is not None
        answer = {"jsonrpc": "2.0", "id": read_id(question), "result": {"action": "accept", "content": {}}}
        assert (await session.post(answer)).status == 202
        return secret_in(await stream.until("")), event.id


def read_id(message: str) -> Any:
    return json.loads(message)["id"]


@asynccontextmanager
async def resumed(session: Session, event_id: str) -> AsyncIterator[Stream]:
    async with session.stream(Last_Event_ID=event_id) as response:
        assert response.status == 200, await response.text()
        yield Stream(response, session.revision, "tools/call")


async def expect_withheld(session: Session, event_id: str) -> None:
    """Check that a resumed stream ends with an error in place of the result."""
    async with resumed(session, event_id) as stream:
        answer = await stream.until("")
        assert answer["id"] == "create" and answer["error"]["message"] == RESPONSE_WITHHELD
        assert await stream.ends()


async def test_resumed_stream_has_no_secret(site: Site) -> None:
    arguments = await make_arguments(site)
    session = await site.initialize(elicitation={})
    secret, event_id = await create_on_stream(session, arguments)
    await expect_withheld(session, event_id)
    texts = list(strings_of_stores())
    assert any(RESPONSE_WITHHELD in text for text in texts)
    assert not any(secret in text for text in texts)


async def test_call_never_becomes_a_task(site: Site) -> None:
    capabilities = {"extensions": {f"{META}tasks": {}}}
    answer: Answer = await site.apply(CREATE, await make_arguments(site), clientCapabilities=capabilities)
    assert answer.result["resultType"] == "complete" and secret_in(answer.body)


def test_a_batch_is_withheld_as_a_whole() -> None:
    assert make_withheld_errors([1, "b"]).startswith(b"[{") and make_withheld_errors([1, "b"]).count(b"error") == 2


@asynccontextmanager
async def two_replicas(redis: Server) -> AsyncIterator[tuple[Replica, ...]]:
    """Two replicas of the product that share this Redis."""
    changes = {"tools": CATALOG.tools, "unlisted_tools": CATALOG.unlisted_tools}
    async with replicas(redis.url, changes=changes, api=Api()) as sites:
        yield sites


@pytest.fixture
def encrypted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that was encrypted for Redis, as plaintext: the values in Redis do not show it."""
    texts: list[str] = []
    encrypt = Encryptor.encrypt

    def record(self: Encryptor, context: str, data: bytes) -> bytes:
        texts.append(data.decode("utf-8", "replace"))
        return encrypt(self, context, data)

    monkeypatch.setattr(Encryptor, "encrypt", record)
    return texts


def redis_values(server: Server) -> Iterator[bytes]:
    """The serialized values of all keys, and their names."""
    with server.client() as client:
        for key in client.scan_iter():
            yield key
            yield client.dump(key) or b""


async def test_redis_has_no_secret(redis: Server, encrypted: list[str]) -> None:
    async with two_replicas(redis) as (a, b):
        arguments = await make_arguments(a)
        secret = secret_in((await a.apply(CREATE, arguments)).body)
        repeated = (await b.call(CREATE, arguments)).result["structuredContent"]
        assert "accessToken" not in repeated and repeated[ALREADY_DONE_KEY], "the receipt is shared"
        session = await a.initialize(elicitation={})
        second, event_id = await create_on_stream(session, arguments | {"name": "second"})
        for replica in (a, b):
            await expect_withheld(at_replica(replica, session), event_id)
        assert any(repeated["id"] in text for text in encrypted) and any(
            RESPONSE_WITHHELD in text for text in encrypted
        )
        for one in (secret, second):
            assert not any(one in text for text in (*encrypted, *strings_of_stores()))
            assert not any(one.encode() in value for value in redis_values(redis))


async def test_legacy_stream_of_another_replica_is_refused(redis: Server, encrypted: list[str]) -> None:
    async with two_replicas(redis) as (a, b):
        arguments = await make_arguments(a)
        async with open_legacy_stream(a) as stream:
            await stream.initialize("2024-11-05")
            call = a.request("tools/call", {"name": CREATE, "arguments": arguments})
            assert (await b.post(call, path=stream.address)).status == 202
            refused = (await stream.next("tools/call"))["result"]
            assert refused["isError"] and "Streamable HTTP" in refused["content"][0]["text"]
            assert await count_tokens(a, arguments) == 0
            prepared = await stream.ask("tools/call", {"name": CREATE, "arguments": arguments})
            token = json.loads(prepared["result"]["content"][0]["text"])["approvalToken"]
            approved = {"name": "confirm_action", "arguments": {"approvalToken": token}}
            secret = secret_in(await stream.ask("tools/call", approved))
        assert not any(secret in text for text in encrypted)
