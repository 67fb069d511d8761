"""Addresses of Redis beyond one server: the URLs of Sentinel and of Redis Cluster."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

SENTINEL, CLUSTER = "sentinel", "cluster"
SENTINEL_PORT, REDIS_PORT = 26379, 6379
# Redis Cluster stores keys with the same tag on the same node. A script can only touch keys of one node, and scripts
# also read which replicas of this server are alive, which belongs to no owner. So all keys have this tag.
HASH_TAG = "{doit-mcp}"


class SharedAddress(NamedTuple):
    """The *nodes* that know the primary, and how to connect to it.

    *kind* is SENTINEL or CLUSTER. *service* is the name of the primary at the sentinels. "" means none for texts; the
    sentinels get *sentinel_username* and *sentinel_password* only.
    """

    kind: str
    nodes: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str = ""
    password: str = ""
    service: str = ""
    database: int = 0
    sentinel_username: str = ""
    sentinel_password: str = ""


def read_shared_address(url: str) -> SharedAddress | None:
    """Return the address in a URL of Sentinel or Redis Cluster, None for the URL of a single server.

    ``redis+sentinel://user:password@host:port,host:port/service/0`` and ``redis+cluster://user:password@host:port``;
    with ``rediss`` for TLS. Raise ValueError if a part is missing or invalid.
    """
    scheme, plus, kind = urlsplit(url).scheme.partition("+")
    if not plus:
        return None
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    default_port = SENTINEL_PORT if kind == SENTINEL else REDIS_PORT
    nodes = tuple(_read_node(host, default_port) for host in hosts.split(","))
    service, _, database = parts.path.strip("/").partition("/")
    if (kind == SENTINEL) is not bool(service):
        raise ValueError("the URL of sentinels ends with the name of the service, and that of a cluster with its hosts")
    options = parse_qs(parts.query)
    return SharedAddress(
        kind,
        nodes,
        scheme == "rediss",
        unquote(username),
        unquote(password),
        unquote(service),
        int(database or 0),
        *(options.get(name, [""])[0] for name in ("sentinel_username", "sentinel_password")),
    )


def _read_node(text: str, default_port: int) -> tuple[str, int]:
    node = urlsplit(f"//{text}")
    if not node.hostname:
        raise ValueError("a host is missing")
    return node.hostname, node.port or default_port
