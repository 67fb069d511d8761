"""Sentinel and Redis Cluster: replicas share their state through them, and continue when the primary is killed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis.crc import key_slot

from doit_mcp.redis_state.addresses import CLUSTER, SENTINEL, SharedAddress, read_shared_address
from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.encryption import key_prefix
from doit_mcp.resilience.unavailable import StateUnavailable
from tests.events.receivers import write_certificate
from tests.redis_state.conftest import SECRET
from tests.redis_state.replicas import at_replica, replicas
from tests.redis_state.shared_redis import PASSWORD, SharedRedis, cluster, migrate_slot, sentinels
from tests.redis_state.test_failover import eventually, hears, works
from tests.redis_state.test_full_redis import Writes, read_text

# Of a key with two names while secrets are rotated.
READ_BOTH = "return {KEYS[1], redis.call('GET', KEYS[1]), redis.call('EXISTS', ARGV[1])}"


@pytest.fixture(scope="module", params=[sentinels, cluster], ids=["sentinel", "cluster"])
def shared(request: pytest.FixtureRequest) -> Iterator[SharedRedis]:
    make: Callable[[], AbstractContextManager[SharedRedis]] = request.param
    with make() as servers:
        yield servers


async def test_state_survives_the_death_of_the_primary(shared: SharedRedis) -> None:
    """Sessions, streams and receipts of writes: all that the replicas of the server share."""
    writes = Writes()
    async with replicas(shared.url, changes={"tools": writes.tools}) as (first, second):
        session = await first.initialize()
        created = read_text(await first.call("create", {"text": "x"}))
        assert created == '{"said":"create 1"}'
        repeated = read_text(await second.call("create", {"text": "x"}))
        assert repeated.startswith('{"said":"create 1","alreadyDone"') and await hears(first, second, session)
        shared.kill_primary()
        await eventually(lambda: works(at_replica(second, session)))
        await eventually(lambda: works(session))
        # The receipt is there: the write is not made again.
        assert read_text(await second.call("create", {"text": "x"})).startswith('{"said":"create 1","alreadyDone"')
        assert (await second.initialize()).id and await hears(first, second, session)
        assert all(await asyncio.gather(*(works(at_replica(second, session)) for _ in range(30))))


async def test_sentinels_and_servers_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are checked, those of sentinels and of servers, also after a failover."""
    certificate = write_certificate(tmp_path, "localhost")
    with sentinels(certificate) as shared:
        link = open_connection(shared.url, key_prefix(SECRET), timeout=2)
        with pytest.raises(StateUnavailable):
            await link.execute("SET", link.key("a"), "1")
        await link.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        link = open_connection(shared.url, key_prefix(SECRET), timeout=2)
        assert await link.execute("SET", link.key("a"), "1")
        shared.kill_primary()

        async def is_read() -> bool:
            try:
                return (
                    bool(await link.execute("SET", link.key("b"), "2"))
                    and await link.execute("GET", link.key("a")) == b"1"
                )
            except StateUnavailable:
                return False

        await eventually(is_read)
        await link.close()


async def test_state_survives_the_migration_of_its_slot() -> None:
    """While the slot migrates, Redis is unavailable; then sessions go on at the node that has it now."""
    with cluster() as shared:
        async with replicas(shared.url) as (first, second):
            session = await first.initialize()
            (owner, _), (target, other) = shared.servers, shared.others
            for _ in migrate_slot(owner, target, (other,), key_slot(b"{doit-mcp}")):
                # All keys have moved, and the cluster still names their former node.
                link = open_connection(shared.url, key_prefix(SECRET), timeout=2)
                with pytest.raises(StateUnavailable):
                    await link.execute("GET", link.key("x"))
                await link.close()
            await eventually(lambda: works(at_replica(second, session)))
            await eventually(lambda: works(session))
            assert target.says("DBSIZE") != 0


async def test_scripts_run_with_rotated_secrets(shared: SharedRedis) -> None:
    """In a cluster, all keys have one slot, also those under different secrets."""
    secrets = (SECRET, "another-secret-of-the-exchange-with-bytes")
    link = open_connection(shared.url, key_prefix(secrets), timeout=2)
    former = open_connection(shared.url, key_prefix(secrets[1]), timeout=2)
    assert await former.execute("SET", former.key("session", "a"), "1", "PX", 60_000)
    found = await link.run_script(READ_BOTH, [link.key("session", "a")], link.key("replica", "b"))
    assert found == [former.key("session", "a").encode(), b"1", 0]
    assert await link.execute_all([("SET", str(link.key("c")), "1"), ("GET", str(link.key("c")))]) == [True, b"1"]
    is_cluster = "+cluster:" in shared.url
    assert key_slot(link.key("c").encode()) == key_slot(b"{doit-mcp}") or not is_cluster
    await link.close()
    await former.close()


async def test_url_without_a_primary_is_unavailable(shared: SharedRedis, caplog: pytest.LogCaptureFixture) -> None:
    """A misspelled service, or hosts that do not answer."""
    wrong = shared.url.replace("/state/", "/other/") if "sentinel" in shared.url else "redis+cluster://127.0.0.1:1"
    link = open_connection(wrong, key_prefix(SECRET), timeout=2)
    with caplog.at_level(logging.WARNING), pytest.raises(StateUnavailable):
        await link.execute("GET", link.key("x"))
    assert [record.message for record in caplog.records] == ["Redis is unavailable"]
    assert PASSWORD not in caplog.text
    await link.close()


async def test_plain_url_of_a_cluster_is_named(shared: SharedRedis, caplog: pytest.LogCaptureFixture) -> None:
    if "+cluster:" not in shared.url:
        return
    hosts = shared.url.partition("@")[2].split(",")
    for host in hosts:
        link = open_connection(f"redis://:{PASSWORD}@{host}", key_prefix(SECRET), timeout=2)
        with caplog.at_level(logging.WARNING), pytest.raises(StateUnavailable):
            # Of these keys, some belong to another node.
            for number in range(50):
                await link.execute("GET", link.key(str(number)))
        await link.close()
    assert all("redis+cluster://" in record.message for record in caplog.records) and len(caplog.records) == len(hosts)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://host", None),
        ("unix:///path", None),
        (
            "redis+sentinel://:a%2Fb@one,two:5000/state",
            SharedAddress(SENTINEL, (("one", 26379), ("two", 5000)), password="a/b", service="state"),
        ),
        (
            "rediss+sentinel://u:p@[::1]:1/state/3?sentinel_username=x&sentinel_password=y%26",
            SharedAddress(SENTINEL, (("::1", 1),), True, "u", "p", "state", 3, "x", "y&"),
        ),
        ("redis+cluster://one,two:1", SharedAddress(CLUSTER, (("one", 6379), ("two", 1)))),
        ("rediss+cluster://:p@one/", SharedAddress(CLUSTER, (("one", 6379),), True, password="p")),
    ],
)
def test_addresses(url: str, address: SharedAddress | None) -> None:
    assert read_shared_address(url) == address
