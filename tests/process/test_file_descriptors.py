"""The limit of file descriptors, and the errors that mean a local shortage."""

from __future__ import annotations

import errno
import resource
import socket

import pytest

from doit_mcp.process.file_descriptors import MAX_DESCRIPTORS, is_local_shortage, raise_descriptor_limit

NONE = resource.RLIM_INFINITY


@pytest.mark.requirement("N24")
@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 4096, 4096),
        (1024, 1 << 30, MAX_DESCRIPTORS),
        (1024, NONE, MAX_DESCRIPTORS),
        (64, 64, None),
        (1 << 20, 1 << 30, None),
        (NONE, NONE, None),
    ],
)
def test_n24_descriptor_limit_is_raised(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None
) -> None:
    changes: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: changes.append(limits))
    raise_descriptor_limit()
    assert changes == ([] if raised is None else [(raised, hard)])


@pytest.mark.requirement("N24")
@pytest.mark.parametrize(
    ("failure", "own"),
    [
        (OSError(errno.EMFILE, "x"), True),
        (OSError(errno.ENFILE, "x"), True),
        (OSError(errno.ENOBUFS, "x"), True),
        (socket.gaierror(socket.EAI_SYSTEM, "x"), True),
        (OSError(errno.ECONNREFUSED, "x"), False),
        (OSError(errno.EHOSTUNREACH, "x"), False),
        (socket.gaierror(socket.EAI_NONAME, "x"), False),
        (ValueError("x"), False),
    ],
)
def test_n24_own_descriptor_exhaustion_is_recognized(failure: Exception, own: bool) -> None:
    assert is_local_shortage(failure) is own
    try:
        try:
            raise failure
        except Exception:
            raise RuntimeError("as libraries do")  # noqa: B904  # with the context, not the cause
    except RuntimeError as raised:
        assert is_local_shortage(raised) is own
