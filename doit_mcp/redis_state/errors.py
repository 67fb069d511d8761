"""Errors of Redis, and the state of the server that they indicate."""

from __future__ import annotations

import re

from ..resilience.unavailable import StateUnavailable


class WriteRefused(StateUnavailable):
    """Redis refused the command, because its memory is used up, or because it is a replica or is loading data.

    Other replicas of this server may still reach it, or the new primary.
    """


class NotPrimary(Exception):
    """The Redis server behind the host name accepts no writes."""


# Part of the error of a command that needs memory when none is left (maxmemory, noeviction), also in a script.
OUT_OF_MEMORY = "used memory > 'maxmemory'"

# Part of the error of a script with a command that the user's ACL forbids.
NO_PERMISSION = "can't run this command"

ERROR_CODE = re.compile(r"[A-Z]{3,20}\b")

# Errors of a server that accepts no writes, because it has become a replica or is not ready. Older servers put them
# inside another error if a script fails.
NOT_PRIMARY_CODES = ("READONLY", "MASTERDOWN", "NOREPLICAS", "LOADING", "UNBLOCKED")

# Errors of a node of Redis Cluster that does not hold a key, or does not know whether it does.
CLUSTER_CODES = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")

# The names of the client library's classes for these errors and for keys of several slots.
CLUSTER_ERRORS = frozenset({"MovedError", "AskError", "ClusterDownError", "ClusterCrossSlotError"})


def error_code(text: str) -> str:
    """Return the code at the start of a Redis error, such as NOREPLICAS, or "" if the client library removed it."""
    # The library removes the code of a permission error in a script, and has no class for it.
    if NO_PERMISSION in text:
        return "NOPERM"
    match = ERROR_CODE.match(text)
    return match[0] if match else ""


def is_from_cluster(failure: Exception) -> bool:
    """Return whether only a node of Redis Cluster replies with this error."""
    return type(failure).__name__ in CLUSTER_ERRORS or str(failure).startswith(CLUSTER_CODES)


def is_out_of_memory(failure: Exception) -> bool:
    """Return whether Redis refused a command because its memory is used up."""
    return OUT_OF_MEMORY in str(failure)
