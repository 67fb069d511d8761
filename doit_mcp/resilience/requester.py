"""Who a request is sent for, as far as limits and circuit breakers need to know."""

from __future__ import annotations

from typing import NamedTuple


class Requester(NamedTuple):
    """On whose behalf a request is sent, as hashes that are no secrets: a person counts once, whatever the tokens and
    customers, and so does a customer, whoever its users are."""

    user: int
    customer: int

    @classmethod
    def for_user(cls, subject: str, tenant: str) -> Requester:
        """The user *subject*, who sees the data of *tenant*."""
        return cls(hash(("person", subject.lower())), hash(("customer", tenant)))


SINGLE_REQUESTER = Requester(0, 0)
"""The only one there is, for a process with one user."""
