"""Away: what replicas share cannot be had at the moment."""

from __future__ import annotations

UNAVAILABLE = "The server's shared state is temporarily unavailable; try again in a few seconds"


class Away(Exception):
    """Redis did not answer, or not in time, or with an error."""

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE)


class Refused(Away):
    """Redis answered, but refused the command: its memory is used up, or it is a replica, loading data or the like.

    Other replicas of this server may still reach it, or the new primary.
    """
