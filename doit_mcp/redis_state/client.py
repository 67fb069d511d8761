"""Opens connections to Redis: a single server, Sentinel, or Redis Cluster.

Only this module and :mod:`.primary` use the client library, which is imported when a connection opens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .addresses import CLUSTER, read_shared_address
from .connection import RedisClient, RedisConnection
from .errors import CLUSTER_CODES, NOT_PRIMARY_CODES
from .key_names import join_names

# Longer than any command of a healthy Redis takes, and short enough for a caller that waits.
TIMEOUT_SECONDS = 2.0
MAX_CONNECTIONS = 32


def open_connection(url: str, prefix: str, timeout: float = TIMEOUT_SECONDS) -> RedisConnection:
    """Return a connection to the Redis at *url*, made when it is needed. All keys start with *prefix*.

    Raise ImportError without the extra ``redis``.
    """
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError, ResponseError

    options: dict[str, Any] = {
        "max_connections": MAX_CONNECTIONS,
        "timeout": timeout,
        "socket_connect_timeout": timeout,
        # RedisConnection has its own timeout for each command, and callers retry.
        "socket_timeout": None,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    address, close = read_shared_address(url), None
    if address is None:

        def connect() -> RedisClient:
            return Redis.from_pool(BlockingConnectionPool.from_url(url, **options))

    else:
        from .primary import HASH_TAG, PrimaryConnection, PrimaryTlsConnection, make_finder

        finder = make_finder(address)
        close = finder.close
        options |= {"connection_class": PrimaryTlsConnection if address.tls else PrimaryConnection, "find": finder.find}
        options |= {"username": address.username or None, "password": address.password or None, "db": address.database}
        if address.kind == CLUSTER:
            prefix = join_names(":", (HASH_TAG, prefix))

        def connect() -> RedisClient:
            return Redis.from_pool(BlockingConnectionPool(**options))

    is_cluster = address is not None and address.kind == CLUSTER
    return RedisConnection(
        connect,
        (RedisError, OSError, TimeoutError),
        prefix,
        timeout,
        (ResponseError,),
        _not_primary_test(is_cluster=is_cluster),
        close,
    )


def _not_primary_test(*, is_cluster: bool) -> Callable[[Exception], bool]:
    """Return a function that tells whether an error comes from a server that accepts no writes to the keys."""
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
