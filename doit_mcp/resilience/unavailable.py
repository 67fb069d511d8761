"""The error for shared state that cannot be read or written at the moment."""

from __future__ import annotations

UNAVAILABLE_MESSAGE = "The server's shared state is temporarily unavailable; try again in a few seconds"


class StateUnavailable(Exception):
    """The store that replicas share did not answer, answered too late, or answered with an error."""

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE_MESSAGE)
