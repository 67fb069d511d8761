"""A bound on the bytes of request bodies that are being received at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Multiples of the largest body.
BODIES_PER_OWNER, BODIES_TOTAL = 4, 16


class TooManyBytes(Exception):
    """The bodies that are being received hold too many bytes; *status* is that of the refusal."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Bodies:
    """Bytes received of bodies that are not complete: what was declared costs nothing, so nobody can reserve it all."""

    def __init__(self, max_body: int) -> None:
        self._per_owner, self._total = BODIES_PER_OWNER * max_body, BODIES_TOTAL * max_body
        self._owners: Counter[str] = Counter()
        self.bytes = 0

    @contextmanager
    def receiving(self, owner: str) -> Iterator[Callable[[int], None]]:
        """Call what this yields with the size of each piece; it raises TooManyBytes where no more may be received."""
        received = 0

        def receive(size: int) -> None:
            nonlocal received
            if self._owners[owner] + size > self._per_owner:
                raise TooManyBytes(429, f"Your requests that are being received may have {self._per_owner} bytes")
            if self.bytes + size > self._total:
                raise TooManyBytes(503, "The server is receiving too many large requests; try again")
            received += size
            self.bytes += size
            self._owners[owner] += size

        try:
            yield receive
        finally:
            self.bytes -= received
            self._owners[owner] -= received
            if not self._owners[owner]:
                del self._owners[owner]
