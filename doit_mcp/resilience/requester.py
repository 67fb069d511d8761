"""The user and the customer that a request is sent for, as circuit breakers count them."""

from __future__ import annotations

from typing import NamedTuple


class Requester(NamedTuple):
    """A user and a customer, as hashes. A user counts once for all customers, and a customer once for all its users."""

    user: int
    customer: int

    @classmethod
    def for_user(cls, subject: str, tenant: str) -> Requester:
        """Return the requester for the user *subject*, who accesses the data of *tenant*."""
        return cls(hash(("person", subject.lower())), hash(("customer", tenant)))


SINGLE_REQUESTER = Requester(0, 0)
"""The requester in a process with a single user."""
