"""A primary with replicas behind sentinels, and a Redis Cluster: real servers on loopback that fail over quickly."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.loopback_ports import unused_port
from tests.redis_state.redis_server import PROGRAM, require_program

SERVICE = "state"
PASSWORD = "password-of-the-servers"
SLOTS = 16_384


class PortServer:
    """A server on a port, with *options*."""

    def __init__(self, folder: str, *options: str, password: str = PASSWORD, mode: Sequence[str] = ()) -> None:
        self.port, self.password = unused_port(), password
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder, "--loglevel", "warning"]
        auth = ["--requirepass", password, "--masterauth", password] if password else []
        command = [PROGRAM, *mode, *common, *auth, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                self.says("PING")
                return
            except RedisError:
                assert self.process.poll() is None, "the server ended"

    def says(self, *command: str | int) -> object:
        with Redis(port=self.port, password=self.password or None) as client:
            return client.execute_command(*command)

    def text(self, *command: str) -> str:
        reply = self.says(*command)
        return reply.decode() if isinstance(reply, bytes) else str(reply)

    def info(self, section: str) -> dict[str, object]:
        with Redis(port=self.port, password=self.password or None) as client:
            return dict(client.info(section))

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.kill()
        self.process.wait()


DISKLESS = ("--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")


class SharedRedis:
    """Servers, and the *url* for the setting."""

    def __init__(self, servers: Sequence[PortServer], url: str) -> None:
        self.servers, self.url = servers, url

    def kill_primary(self) -> None:
        """Kill the server that accepts writes to the keys of the product, after its replica received all writes."""
        alive = [server for server in self.servers if server.process.poll() is None]
        primary = next(server for server in alive if server.info("replication")["role"] == "master")
        # What was written so far is on the replica, which a failover does not promise. WAIT waits for the writes of its
        # own connection, which come after all others.
        with Redis(port=primary.port, password=PASSWORD) as client:
            client.execute_command("SET", "{doit-mcp}last", "1", "PX", 60_000)
            assert client.execute_command("WAIT", 1, 5000) == 1
        primary.kill()


def _wait_for_replicas(primary: PortServer, count: int) -> None:
    while primary.info("replication")["connected_slaves"] != count:
        time.sleep(0.02)
    for number in range(count):
        while True:
            state = primary.info("replication").get(f"slave{number}")
            if isinstance(state, dict) and state["state"] == "online":
                break
            time.sleep(0.02)


@contextmanager
def sentinels() -> Iterator[SharedRedis]:
    """A primary, a replica, and a sentinel that starts a failover after 0.3 seconds."""
    require_program()
    with ExitStack() as stack:

        def run(*options: str, **more: str | Sequence[str]) -> PortServer:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="doit-redis-"))
            server = PortServer(folder, *options, **more)  # type: ignore[arg-type]  # the keywords have different types
            stack.callback(server.kill)
            return server

        primary = run(*DISKLESS)
        replica = run(*DISKLESS, "--replicaof", f"127.0.0.1 {primary.port}")
        _wait_for_replicas(primary, 1)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="doit-redis-"))
        # A sentinel needs a file that it can write.
        file = Path(folder) / "sentinel.conf"
        file.write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 1\nsentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} 300\nsentinel failover-timeout {SERVICE} 1000\n"
        )
        watcher = PortServer(folder, password="", mode=(str(file), "--sentinel"))
        stack.callback(watcher.kill)
        while len(watcher.says("SENTINEL", "REPLICAS", SERVICE)) < 1:  # type: ignore[arg-type]  # the reply to this command is a list
            time.sleep(0.02)
        # The first host does not answer, so the second one is asked.
        hosts = f"127.0.0.1:{unused_port()},127.0.0.1:{watcher.port}"
        yield SharedRedis((primary, replica), f"redis+sentinel://:{PASSWORD}@{hosts}/{SERVICE}/0")


@contextmanager
def cluster() -> Iterator[SharedRedis]:
    """Three primaries that share the slots, and a replica of the one with the keys of the product."""
    require_program()
    with ExitStack() as stack:
        nodes = []
        for _ in range(4):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="doit-redis-"))
            clustered = ("--cluster-enabled", "yes", "--cluster-node-timeout", "500", *DISKLESS)
            nodes.append(PortServer(folder, *clustered))
            stack.callback(nodes[-1].kill)
        *primaries, replica = nodes
        owner = primaries[key_slot(b"{doit-mcp}") * 3 // SLOTS]
        for number, node in enumerate(primaries):
            node.says("CLUSTER", "ADDSLOTSRANGE", -(-number * SLOTS // 3), -(-(number + 1) * SLOTS // 3) - 1)
            node.says("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in (*primaries[1:], replica):
            node.says("CLUSTER", "MEET", "127.0.0.1", primaries[0].port)
        owner_id = owner.text("CLUSTER", "MYID")
        while True:
            try:
                replica.says("CLUSTER", "REPLICATE", owner_id)
                break
            except RedisError:
                time.sleep(0.02)
        _wait_for_replicas(owner, 1)
        for node in nodes:
            while not {"cluster_state:ok", "cluster_known_nodes:4"} <= set(node.text("CLUSTER", "INFO").split()):
                time.sleep(0.02)
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in primaries if node is not owner)
        yield SharedRedis((owner, replica), f"redis+cluster://:{PASSWORD}@{hosts}")
