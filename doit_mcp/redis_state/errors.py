"""Errors of Redis, and what they say about its state."""

from __future__ import annotations

import re

from ..resilience.unavailable import StateUnavailable


class WriteRefused(StateUnavailable):
    """Redis answered but refused the command: its memory is used up, or it is a replica, loading data or the like.

    Other replicas of this server may still reach it, or the new primary.
    """


class NotPrimary(Exception):
    """The Redis server behind the host name accepts no writes."""


# In the error of a command that needs memory when it is used up (maxmemory, noeviction), also inside a script's.
OUT_OF_MEMORY = "used memory > 'maxmemory'"

# In the error of a script whose command the user's ACL forbids.
NO_PERMISSION = "can't run this command"

ERROR_CODE = re.compile(r"[A-Z]{3,20}\b")

# Errors of a server that accepts no writes: it is a replica now, or it is not ready. Older servers put them inside
# another error where a script fails.
NOT_PRIMARY_CODES = ("READONLY", "MASTERDOWN", "NOREPLICAS", "LOADING", "UNBLOCKED")


def error_code(text: str) -> str:
    """The code that an error of Redis begins with, such as NOREPLICAS; "" where the client library has removed it."""
    # The library removes the code of a permission error in a script, and has no class for it.
    if NO_PERMISSION in text:
        return "NOPERM"
    found = ERROR_CODE.match(text)
    return found[0] if found else ""


def is_out_of_memory(failure: Exception) -> bool:
    """Whether Redis refused a command because its memory is used up."""
    return OUT_OF_MEMORY in str(failure)
