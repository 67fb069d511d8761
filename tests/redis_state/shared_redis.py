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


Certificate = tuple[Path, Path]
"""The files of a certificate for localhost and its key."""


class PortServer:
    """A server on a port, with *options*; with *certificate*, it speaks TLS only."""

    def __init__(
        self,
        folder: str,
        *options: str,
        password: str = PASSWORD,
        mode: Sequence[str] = (),
        certificate: Certificate | None = None,
    ) -> None:
        self.port, self.password, self.certificate = unused_port(), password, certificate
        common = ["--bind", "127.0.0.1", "--dir", folder, "--loglevel", "warning"]
        if certificate is None:
            common += ["--port", str(self.port)]
        else:
            file, key = map(str, certificate)
            common += [
                "--port",
                "0",
                "--tls-port",
                str(self.port),
                "--tls-auth-clients",
                "no",
                "--tls-replication",
                "yes",
            ]
            common += ["--tls-cert-file", file, "--tls-key-file", key, "--tls-ca-cert-file", file]
        auth = ["--requirepass", password, "--masterauth", password] if password else []
        command = [PROGRAM, *mode, *common, *auth, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                self.says("PING")
                return
            except RedisError:
                assert self.process.poll() is None, "the server ended"

    def client(self) -> Redis:
        """Return a client of this server."""
        trusted = None if self.certificate is None else str(self.certificate[0])
        return Redis(port=self.port, password=self.password or None, ssl=bool(trusted), ssl_ca_certs=trusted)

    def says(self, *command: str | int) -> object:
        with self.client() as client:
            return client.execute_command(*command)

    def text(self, *command: str) -> str:
        reply = self.says(*command)
        return reply.decode() if isinstance(reply, bytes) else str(reply)

    def info(self, section: str) -> dict[str, object]:
        with self.client() as client:
            return dict(client.info(section))

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.kill()
        self.process.wait()


DISKLESS = ("--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")


class SharedRedis:
    """Servers, and the *url* for the setting. *others* are nodes of the cluster without keys of the product."""

    def __init__(self, servers: Sequence[PortServer], url: str, others: Sequence[PortServer] = ()) -> None:
        self.servers, self.url, self.others = servers, url, others

    def kill_primary(self) -> None:
        """Kill the server that accepts writes to the keys of the product, after its replica received all writes."""
        alive = [server for server in self.servers if server.process.poll() is None]
        primary = next(server for server in alive if server.info("replication")["role"] == "master")
        # What was written so far is on the replica, which a failover does not promise. WAIT waits for the writes of its
        # own connection, which come after all others.
        with primary.client() as client:
            client.execute_command("SET", "{doit-mcp}last", "1", "PX", 60_000)
            assert client.execute_command("WAIT", 1, 5000) == 1
        primary.kill()


def migrate_slot(source: PortServer, target: PortServer, nodes: Sequence[PortServer], slot: int) -> Iterator[None]:
    """Move *slot* with its keys to another node, as ``redis-cli --cluster reshard`` does. Yield half way."""
    source_id, target_id = (node.text("CLUSTER", "MYID") for node in (source, target))
    target.says("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    source.says("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    with source.client() as client:
        while keys := client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            auth = ("AUTH", PASSWORD)
            client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, *auth, "KEYS", *keys)
    yield
    for node in (target, source, *nodes):
        node.says("CLUSTER", "SETSLOT", slot, "NODE", target_id)


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
def sentinels(certificate: Certificate | None = None) -> Iterator[SharedRedis]:
    """A primary, a replica, and a sentinel that starts a failover after 0.3 seconds. With *certificate*, all use TLS."""
    require_program()
    host, scheme = ("127.0.0.1", "redis") if certificate is None else ("localhost", "rediss")
    with ExitStack() as stack:

        def run(*options: str, **more: str | Sequence[str]) -> PortServer:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="doit-redis-"))
            server = PortServer(folder, *options, certificate=certificate, **more)  # type: ignore[arg-type]  # the keywords have different types
            stack.callback(server.kill)
            return server

        primary = run(*DISKLESS)
        replica = run(*DISKLESS, "--replica-announce-ip", host, "--replicaof", f"{host} {primary.port}")
        _wait_for_replicas(primary, 1)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="doit-redis-"))
        # A sentinel needs a file that it can write.
        file = Path(folder) / "sentinel.conf"
        file.write_text(
            "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n"
            f"sentinel monitor {SERVICE} {host} {primary.port} 1\nsentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} 300\nsentinel failover-timeout {SERVICE} 1000\n"
        )
        watcher = PortServer(folder, password="", mode=(str(file), "--sentinel"), certificate=certificate)
        stack.callback(watcher.kill)
        while len(watcher.says("SENTINEL", "REPLICAS", SERVICE)) < 1:  # type: ignore[arg-type]  # the reply to this command is a list
            time.sleep(0.02)
        # The first host does not answer, so the second one is asked.
        hosts = f"{host}:{unused_port()},{host}:{watcher.port}"
        yield SharedRedis((primary, replica), f"{scheme}+sentinel://:{PASSWORD}@{hosts}/{SERVICE}/0")


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
        others = [node for node in primaries if node is not owner]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in others)
        yield SharedRedis((owner, replica), f"redis+cluster://:{PASSWORD}@{hosts}", others)
