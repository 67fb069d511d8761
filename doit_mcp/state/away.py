"""Away: what replicas share cannot be had at the moment."""

from __future__ import annotations

UNAVAILABLE = "The server's shared state is temporarily unavailable; try again in a few seconds"


class Away(Exception):
    """Redis did not answer, or not in time, or with an error."""

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE)


class Full(Away):
    """Redis answers, but its memory is used up: it takes no writes. What it holds can be read and deleted."""
