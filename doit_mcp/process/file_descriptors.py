"""File descriptors of the process: missing standard streams, the limit, and errors when the limit is reached."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import socket

# Bounds the memory of connections, whatever the system allows.
MAX_DESCRIPTORS = 65_536
SHORTAGE_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Reported by a resolver that could not open a file or a socket.
RESOLVER_SHORTAGE_ERRNOS = frozenset({socket.EAI_SYSTEM, socket.EAI_MEMORY})


def open_standard_descriptors() -> None:
    """Open /dev/null for each of the descriptors 0, 1 and 2 that the process was started without.

    Otherwise the next file or socket gets that number and receives what is written to the stream, and libuv aborts when
    it closes such a descriptor. It is opened for reading, so that workers, which inherit it, can see that they have no
    stream to write to: see `is_writable`.
    """
    while (opened := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(opened)


def is_writable(descriptor: int) -> bool:
    """Whether *descriptor* was opened for writing."""
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def raise_descriptor_limit() -> None:
    """Raise the soft limit of descriptors to MAX_DESCRIPTORS, or to the hard limit if that is lower.

    The usual soft limit of 1024 exists for programs that use select(2). A higher limit, set by an operator, stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(MAX_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def is_local_shortage(failure: BaseException) -> bool:
    """Whether a connection failed for lack of resources of this process or system, which says nothing about the peer.

    Libraries wrap the system's error, so the causes and contexts of *failure* count too.
    """
    found: BaseException | None = failure
    while found is not None:
        if isinstance(found, socket.gaierror):
            return found.errno in RESOLVER_SHORTAGE_ERRNOS
        if isinstance(found, OSError) and found.errno in SHORTAGE_ERRNOS:
            return True
        found = found.__cause__ or found.__context__
    return False
