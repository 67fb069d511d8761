"""Opens connections to Redis: a single server, Sentinel, or Redis Cluster.

Only this module and :mod:`.primary` use the client library, which is imported when a connection opens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .addresses import CLUSTER, HASH_TAG, SharedAddress, read_shared_address
from .connection import RedisClient, RedisConnection
from .errors import CLUSTER_CODES, NOT_PRIMARY_CODES
from .key_names import join_names

# Longer than any command of a healthy Redis takes, and short enough for a caller that waits.
TIMEOUT_SECONDS = 2.0
MAX_CONNECTIONS = 32

Connect = Callable[[], RedisClient]
Close = Callable[[], Awaitable[None]]


def open_connection(url: str, prefix: str, timeout: float = TIMEOUT_SECONDS) -> RedisConnection:
    """Return a connection to the Redis at *url*, made when it is needed. All keys start with *prefix*.

    Raise ImportError without the extra ``redis``.
    """
    from redis.exceptions import RedisError, ResponseError

    address = read_shared_address(url)
    is_cluster = address is not None and address.kind == CLUSTER
    connect, close = _connect_to_server(url, timeout) if address is None else _connect_to_primary(address, timeout)
    if is_cluster:
        prefix = join_names(":", (HASH_TAG, prefix))
    return RedisConnection(
        connect,
        (RedisError, OSError, TimeoutError),
        prefix,
        timeout,
        (ResponseError,),
        _not_primary_test(is_cluster=is_cluster),
        close,
    )


def _connect_to_server(url: str, timeout: float) -> tuple[Connect, Close | None]:
    from redis.asyncio import BlockingConnectionPool, Redis

    options = _pool_options(timeout)
    return lambda: Redis.from_pool(BlockingConnectionPool.from_url(url, **options)), None


def _connect_to_primary(address: SharedAddress, timeout: float) -> tuple[Connect, Close | None]:
    """Return functions that connect to the current primary of *address*, and that release what finds it."""
    from redis.asyncio import BlockingConnectionPool, Redis

    from .primary import PrimaryConnection, PrimaryTlsConnection, make_finder

    finder = make_finder(address)
    options = {
        **_pool_options(timeout),
        "connection_class": PrimaryTlsConnection if address.tls else PrimaryConnection,
        "find": finder.find,
        "username": address.username or None,
        "password": address.password or None,
        "db": address.database,
    }
    return lambda: Redis.from_pool(BlockingConnectionPool(**options)), finder.close


def _pool_options(timeout: float) -> dict[str, Any]:
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return {
        "max_connections": MAX_CONNECTIONS,
        "timeout": timeout,
        "socket_connect_timeout": timeout,
        # RedisConnection has its own timeout for each command, and callers retry.
        "socket_timeout": None,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


def _not_primary_test(*, is_cluster: bool) -> Callable[[Exception], bool]:
    """Return a function that checks whether an error comes from a server that accepts no writes to the keys."""
    from redis.exceptions import AskError, BusyLoadingError, ClusterDownError, ReadOnlyError, ResponseError

    # MasterDownError is a ClusterDownError, and MovedError an AskError.
    moved: tuple[type[Exception], ...] = (BusyLoadingError, ClusterDownError, ReadOnlyError)
    codes: tuple[str, ...] = NOT_PRIMARY_CODES
    if is_cluster:
        moved, codes = (*moved, AskError), (*codes, *CLUSTER_CODES)

    def is_not_primary(failure: Exception) -> bool:
        # The library removes the code from the message where it has a class for the error.
        if isinstance(failure, moved):
            return True
        text = str(failure)
        return isinstance(failure, ResponseError) and (text.startswith(codes) or "-READONLY" in text)

    return is_not_primary
