"""The error for shared state that is temporarily unavailable."""

from __future__ import annotations

UNAVAILABLE_MESSAGE = "The server's shared state is temporarily unavailable; try again in a few seconds"


class StateUnavailable(Exception):
    """The store that replicas share did not respond in time, or responded with an error."""

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE_MESSAGE)
