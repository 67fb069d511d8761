"""Failover: connections to a server that has become a replica are abandoned, and its name is resolved again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.exceptions import BusyLoadingError, MasterDownError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.errors import WriteRefused
from doit_mcp.resilience.unavailable import StateUnavailable
from doit_mcp.server.notification_hub import TOOLS_CHANGED, ChangeEvent
from tests.redis_state.failover import Node, Pair, replicated
from tests.redis_state.redis_server import PROGRAM, redis_server
from tests.redis_state.replicas import Replica, at_replica, replicas, wait_for_redis
from tests.redis_state.test_full_redis import Writes, read_text
from tests.transports.http.serving import Session, next_event

WRITE = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])"


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    if shutil.which(PROGRAM) is None:
        with redis_server():  # skips, or fails if every program is required
            raise AssertionError
    async with replicated() as nodes:
        yield nodes


@pytest.fixture
async def link(pair: Pair) -> AsyncIterator[RedisConnection]:
    connection = open_connection(pair.address.url, "x", timeout=1)
    await connection.execute("SET", "before", "1")
    yield connection
    await connection.close()


@pytest.mark.requirement("N23")
async def test_n23_first_write_after_a_failover_succeeds(pair: Pair, link: RedisConnection) -> None:
    """The connection stays open, to a server that is a replica now."""
    for round in range(3):
        await pair.swap()
        assert await link.execute("SET", "key", str(round)) and not link.unavailable
        assert await link.execute("GET", "before") == b"1"
        assert await pair.primary.says("GET", "key") == str(round).encode()


@pytest.mark.requirement("N23")
async def test_n23_scripts_and_pipelines_survive_a_failover(pair: Pair, link: RedisConnection) -> None:
    await pair.swap()
    assert await link.run_script(WRITE, ["x:a"], "1") == b"1"
    await pair.swap()
    assert await link.execute_all([("SET", "b", "1"), ("GET", "b"), ("NO-SUCH",)]) != []
    assert await link.execute("GET", "b") == b"1" and not link.unavailable


@pytest.mark.requirement("N23")
async def test_n23_concurrent_requests_share_one_set_of_new_connections(pair: Pair, link: RedisConnection) -> None:
    await asyncio.gather(*(link.execute("SET", f"k{number}", "1") for number in range(20)))
    connections = pair.address.made
    await pair.swap()
    await asyncio.gather(*(link.execute("SET", f"k{number}", "2") for number in range(20)))
    assert pair.address.made - connections <= 20 and not link.unavailable


@pytest.mark.requirement("N23")
async def test_n23_requests_do_not_wait_until_the_name_resolves_to_the_new_primary(
    pair: Pair, link: RedisConnection
) -> None:
    await pair.swap(redirect=False)
    with pytest.raises(StateUnavailable):
        await link.execute("SET", "key", "1")
    assert link.unavailable
    connections = pair.address.made
    for _ in range(200):
        with pytest.raises(StateUnavailable):
            await link.execute("SET", "key", "1")
    # Only the probe makes connections.
    assert pair.address.made - connections < 10
    pair.address.target = pair.primary
    await wait_until_available(link)
    assert await link.execute("SET", "key", "2") and not link.unavailable


@pytest.mark.requirement("N23")
async def test_n23_server_with_too_few_replicas_is_probed_with_a_write(pair: Pair, link: RedisConnection) -> None:
    """With NOREPLICAS the server still answers PING and every read."""
    await pair.primary.says("CONFIG", "SET", "min-replicas-to-write", 5)
    with pytest.raises(StateUnavailable):
        await link.execute("SET", "key", "1")
    # Commands go to it again once it accepts writes, however often it was probed before.
    async with asyncio.timeout(20):
        while count_rejections(pair.primary, "del") < 3:
            assert link._fail_with
            await asyncio.sleep(0.01)
    await pair.primary.says("CONFIG", "SET", "min-replicas-to-write", 0)
    await wait_until_available(link)
    assert await link.execute("SET", "key", "1")


def count_rejections(node: Node, command: str) -> int:
    """Return how many of these commands the server rejected before they ran."""
    with node.client() as client:
        return int(client.info("commandstats").get(f"cmdstat_{command}", {}).get("rejected_calls", 0))


@pytest.mark.requirement("N23")
async def test_n23_idle_connections_to_a_silent_server_are_not_used_again(pair: Pair) -> None:
    """A host that died closes no connection. After the failover, each idle connection to it would cost a timeout."""
    link = open_connection(pair.address.url, "x", timeout=0.6)
    await asyncio.gather(*(link.execute("SET", f"k{number}", "1") for number in range(20)))
    await pair.replace_primary()
    with pytest.raises(StateUnavailable):
        await link.execute("SET", "key", "1")
    await wait_until_available(link)
    await asyncio.gather(*(link.execute("SET", f"k{number}", "2") for number in range(20)))
    assert not link.unavailable
    await link.close()


async def wait_until_available(link: RedisConnection) -> None:
    async with asyncio.timeout(10):
        while link._fail_with:
            await asyncio.sleep(0.01)


@pytest.mark.requirement("N23")
async def test_n23_connections_to_the_former_primary_are_closed(pair: Pair) -> None:
    link = open_connection(pair.address.url, "x", timeout=0.2)
    await link.execute("SET", "key", "1")
    await pair.swap()
    await link.execute("SET", "key", "2")
    async with asyncio.timeout(10):
        while link._retiring:
            await asyncio.sleep(0.01)
    # The remaining connection, over the socket, is the one that counts them.
    async with asyncio.timeout(10):
        while await clients(pair.replica) > 1:
            await asyncio.sleep(0.01)
    await pair.swap()
    await link.execute("SET", "key", "3")
    await link.close()
    async with asyncio.timeout(10):
        while await clients(pair.replica) > 1 or await clients(pair.primary) > 1:
            await asyncio.sleep(0.01)


async def clients(node: Node) -> int:
    with node.client() as client:
        return sum(set(row["flags"]) <= set("NUb") for row in client.client_list())


async def eventually(ask: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await ask():
            await asyncio.sleep(0.02)


async def works(session: Session) -> bool:
    return (await session.call("echo", {"text": "x"})).status == 200


async def hears(first: Replica, second: Replica, session: Session) -> bool:
    """Return whether a change that is published at one replica reaches a stream at the other."""
    async with at_replica(second, session).stream() as stream:
        assert stream.status == 200
        for _ in range(40):
            first.hub.publish(ChangeEvent(TOOLS_CHANGED))
            try:
                async with asyncio.timeout(0.25):
                    return "list_changed" in (await next_event(stream))[1]
            except TimeoutError:
                continue
    return False


@pytest.mark.requirement("N23")
async def test_n23_sessions_continue_after_a_failover(pair: Pair) -> None:
    async with replicas(pair.address.url) as (first, second):
        session = await first.initialize()
        assert await works(session) and await works(at_replica(second, session))
        for _ in range(2):
            await pair.swap()
            await eventually(lambda: works(session))
            await eventually(lambda: works(at_replica(second, session)))
            # A single response can be luck, on a connection that was new anyway.
            assert all([await works(at_replica(site, session)) for _ in range(30) for site in (first, second)])
            assert all(await asyncio.gather(*(works(at_replica(second, session)) for _ in range(30))))
            assert (await first.initialize()).id
            assert await hears(first, second, session)


@pytest.mark.requirement("N23")
@pytest.mark.parametrize("code", ["READONLY", "NOREPLICAS"])
async def test_n23_no_write_is_repeated_while_redis_refuses_writes(pair: Pair, code: str) -> None:
    """The other replica cannot know about the write. Idempotent writes run."""
    writes = Writes()
    async with replicas(pair.address.url, changes={"tools": writes.tools}) as (near, far):
        assert read_text(await near.call("create", {"text": "before"})) == '{"said":"create 1"}'
        if code == "READONLY":
            await pair.swap(redirect=False)
        else:
            await pair.primary.says("CONFIG", "SET", "min-replicas-to-write", 5)
        for site in (near, far) * 3:
            refused = await site.call("create", {"text": "new"})
            assert refused.result["isError"] and read_text(refused).startswith("Nothing was changed:")
        assert not (await near.call("set", {"text": "same"})).result.get("isError")
        assert writes.done == ["create before", "set same"]
        pair.address.target = pair.primary
        await pair.primary.says("CONFIG", "SET", "min-replicas-to-write", 0)
        await wait_for_redis(near, far)
        assert read_text(await near.call("create", {"text": "new"})) == '{"said":"create 3"}'
        assert "alreadyDone" in read_text(await far.call("create", {"text": "new"}))
        assert writes.done.count("create new") == 1


@pytest.mark.requirement("N23")
async def test_n23_no_write_is_repeated_after_other_redis_errors(pair: Pair) -> None:
    """The ACL forbids a command; the log has the error code but not the message."""
    url = pair.address.url.replace("redis://", "redis://limited:x@")
    await pair.primary.says("ACL", "SETUSER", "limited", "on", "nopass", "~*", "&*", "+@all", "-hset")
    writes = Writes()
    async with replicas(url, changes={"tools": writes.tools}) as (near, far):
        for site in (near, far):
            refused = await site.call("create", {"text": "new"})
            assert refused.result["isError"] and read_text(refused).startswith("Nothing was changed:")
        assert writes.done == []


@pytest.mark.requirement("N23")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("EVAL", "return redis.call('SET', 'canary', '1')", "0"), "NOPERM"),
        (("INCR", "canary"), None),
    ],
)
async def test_n23_log_names_the_redis_error_code(
    pair: Pair, link: RedisConnection, caplog: pytest.LogCaptureFixture, command: tuple[str, ...], code: str | None
) -> None:
    await link.execute("SET", "canary", "text")
    await pair.primary.says("ACL", "SETUSER", "default", "-set")
    with pytest.raises(WriteRefused):
        await link.execute(*command)
    (record,) = [vars(record) for record in caplog.records if record.message == "Redis is unavailable"]
    assert record["failure"] == "ResponseError" and record.get("code") == code and "canary" not in str(record)


@pytest.mark.requirement("N23")
async def test_n23_log_names_the_reason_for_a_failover(
    pair: Pair, link: RedisConnection, caplog: pytest.LogCaptureFixture
) -> None:
    await pair.primary.says("CONFIG", "SET", "min-replicas-to-write", 5)
    with pytest.raises(WriteRefused):
        await link.execute("SET", "key", "1")
    (record,) = [vars(record) for record in caplog.records if record.message == "Redis is unavailable"]
    assert (record["failure"], record["code"]) == ("ResponseError", "NOREPLICAS")


@pytest.mark.requirement("N23")
@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ReadOnlyError("You can't write against a read only replica."), True),
        (MasterDownError("Link with MASTER is down"), True),
        (BusyLoadingError("Redis is loading the dataset in memory"), True),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"), True),
        (ResponseError("Error running script (call to f_1): @user_script:1: -READONLY You can't write"), True),
        (ResponseError("OOM command not allowed when used memory > 'maxmemory'."), False),
        (ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), False),
        (RedisConnectionError("READONLY"), False),
        (TimeoutError(), False),
    ],
)
async def test_n23_error_replies_that_mean_read_only(failure: Exception, expected: bool) -> None:
    link = open_connection("redis://127.0.0.1:1", "x")
    assert link._is_not_primary(failure) is expected
    await link.close()
