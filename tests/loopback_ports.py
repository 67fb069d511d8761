"""Unused ports on loopback, for servers whose URL must be known before they start."""

from __future__ import annotations

import random
import socket

PORTS = range(10_000, 20_000)
"""Below the ports that the system gives to connections and to servers that ask for any port (usually from 32768)."""
MAX_ATTEMPTS = 100


def unused_port() -> int:
    """Return a port that nothing uses. Other connections do not take it before its server starts.

    Raise OSError if none is found.
    """
    error: OSError | None = None
    # The system's generator, because Hypothesis seeds the others alike in all test processes.
    for port in random.SystemRandom().sample(PORTS, MAX_ATTEMPTS):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError as in_use:
            error = in_use
    raise OSError(f"{MAX_ATTEMPTS} ports are in use") from error
