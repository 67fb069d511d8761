"""File descriptors of the process: missing standard streams, the limit, and errors that indicate a shortage."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import socket

# Bounds the memory of connections, even if the system allows more descriptors.
MAX_DESCRIPTORS = 65_536
# Kept for Redis, logs and the identity provider, but at most half of the process's limit.
RESERVED_DESCRIPTORS = 256
SHORTAGE_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Reported by a resolver that could not open a file or a socket.
RESOLVER_SHORTAGE_ERRNOS = frozenset({socket.EAI_SYSTEM, socket.EAI_MEMORY})


def open_standard_descriptors() -> None:
    """Open /dev/null for each of the descriptors 0, 1 and 2 that the process was started without.

    Otherwise the next file or socket gets that number and receives what is written to the stream, and libuv aborts when
    it closes such a descriptor. It is opened for reading, so that workers, which inherit it, can see that they have no
    stream to write to: see `is_writable`.
    """
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(descriptor)


def is_writable(descriptor: int) -> bool:
    """Return whether *descriptor* was opened for writing."""
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def raise_descriptor_limit() -> None:
    """Raise the soft limit of descriptors to MAX_DESCRIPTORS, or to the hard limit if that is lower.

    The usual soft limit of 1024 exists for programs that use select(2). A higher limit is not changed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(MAX_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


def max_connections_per_side() -> int | None:
    """Return how many connections clients may hold, and how many the DoiT API may: one half each of the descriptors
    that are not reserved. None means that the process has no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return None
    return max(1, (limit - min(limit // 2, RESERVED_DESCRIPTORS)) // 2)


def is_local_shortage(failure: BaseException) -> bool:
    """Return whether a connection failed for lack of resources of this process or system, not because of the peer.

    Libraries wrap the system's error, so the causes and contexts of *failure* count too.
    """
    error: BaseException | None = failure
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno in RESOLVER_SHORTAGE_ERRNOS
        if isinstance(error, OSError) and error.errno in SHORTAGE_ERRNOS:
            return True
        error = error.__cause__ or error.__context__
    return False
