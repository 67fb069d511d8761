"""Away: what replicas share cannot be had at the moment."""

from __future__ import annotations

import re

UNAVAILABLE_MESSAGE = "The server's shared state is temporarily unavailable; try again in a few seconds"


class Unavailable(Exception):
    """Redis did not answer, or not in time, or with an error."""

    def __init__(self) -> None:
        super().__init__(UNAVAILABLE_MESSAGE)


class WriteRefused(Unavailable):
    """Redis answered, but refused the command: its memory is used up, or it is a replica, loading data or the like.

    Other replicas of this server may still reach it, or the new primary.
    """


# In the error of a command that needs memory when there is none left (maxmemory, noeviction), also inside a script's.
OUT_OF_MEMORY = "used memory > 'maxmemory'"


# Redis says this of a script's command that the user's ACL forbids.
NO_PERMISSION = "can't run this command"


ERROR_CODE = re.compile(r"[A-Z]{3,20}\b")


# What a server says that takes no writes: it is a replica now, or it is not ready. In scripts older servers say it
# inside another error.
NOT_PRIMARY_CODES = ("READONLY", "MASTERDOWN", "NOREPLICAS", "LOADING", "UNBLOCKED")


class NotPrimary(Exception):
    """The server that the name leads to takes no writes."""


def error_code(text: str) -> str:
    """The code word that an error of Redis begins with, such as NOREPLICAS; "" where the library has removed it."""
    # Of permissions in a script, whose code the library removes and has no class for.
    if NO_PERMISSION in text:
        return "NOPERM"
    found = ERROR_CODE.match(text)
    return found[0] if found else ""


def is_out_of_memory(failure: Exception) -> bool:
    """Whether Redis refused a command because its memory is used up."""
    return OUT_OF_MEMORY in str(failure)
