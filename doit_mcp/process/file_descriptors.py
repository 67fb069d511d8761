"""File descriptors of the process: standard ones that are missing, how many there may be, and errors of having none."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import socket

# So many connections take a bounded amount of memory, whatever the system would allow.
MAX_DESCRIPTORS = 65_536
SHORTAGE_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# What a resolver reports where it could not open a file or a socket.
RESOLVER_SHORTAGE_ERRNOS = frozenset({socket.EAI_SYSTEM, socket.EAI_MEMORY})


def open_standard_descriptors() -> None:
    """Open /dev/null for each of the descriptors 0, 1 and 2 that the process was started without. The next file or
    socket would get the number otherwise, receive what is written there, and libuv aborts when it closes it.

    It is opened for reading, so that workers, which inherit it, still see that they cannot write: see `is_writable`.
    """
    while (opened := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(opened)


def is_writable(descriptor: int) -> bool:
    """Whether *descriptor* was opened for writing."""
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def raise_descriptor_limit() -> None:
    """Let the process have up to MAX_DESCRIPTORS, if it may: the usual first limit of 1024 is for programs that use
    select(2). A higher limit is the operator's choice."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(MAX_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def is_local_shortage(failure: BaseException) -> bool:
    """Whether *failure* to connect comes from a shortage of this process or system, which says nothing about the other
    side. Libraries raise exceptions of their own from what the system said."""
    found: BaseException | None = failure
    while found is not None:
        if isinstance(found, socket.gaierror):
            return found.errno in RESOLVER_SHORTAGE_ERRNOS
        if isinstance(found, OSError) and found.errno in SHORTAGE_ERRNOS:
            return True
        found = found.__cause__ or found.__context__
    return False
