"""The principal: a verified caller."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from ..resilience.requester import Requester
from .bearer import token_digest


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller.

    *subject* is the user: for a DoiT API token, the email address that the API returned. *customer* is the tenant
    that requests to the API name: "" for an API token, from which the API derives it. *domain* is the domain that the
    API returned for an API token; it is never sent to the API. *kind* is "jwt" for an access token of the identity
    provider and "api" for a DoiT API token; *expires* is when its verification ends, in epoch seconds.

    *tenant* identifies the customer whose data the caller sees, for keys and logs: *customer*, or else *domain*.

    *requester* identifies the caller to circuit breakers.

    *owner* is the key of sessions, tasks, stored results, receipts and limits: the same for every token of one user at
    one customer, and different for two users or two customers.
    """

    subject: str
    customer: str
    employee: bool
    kind: Literal["jwt", "api"]
    token: str = field(repr=False)
    expires: float
    email: str = ""
    domain: str = ""
    tenant: str = field(init=False)
    owner: str = field(init=False)
    requester: Requester = field(init=False, repr=False)
    # The key of caches that depend on this token: computed once, not with each request.
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenant", self.customer or self.domain)
        object.__setattr__(self, "requester", Requester.for_user(self.subject, self.tenant))
        # As JSON, so that subject and tenant cannot run into each other.
        identity = orjson.dumps([self.kind, self.subject, self.tenant])
        object.__setattr__(self, "owner", hashlib.sha256(identity).hexdigest()[:32])
        object.__setattr__(self, "digest", token_digest(self.token))

    @property
    def token_label(self) -> str:
        """Distinguishes the API tokens of one user in logs without revealing them: 8 hexadecimal digits of the digest.

        "" for access tokens, which change every hour.
        """
        return self.digest.hex()[:8] if self.kind == "api" else ""

    def for_customer(self, customer: str) -> Principal:
        """Return this employee, acting for another customer. Raise PermissionError for other callers."""
        if not self.employee:
            raise PermissionError("only employees can act for other customers")
        return replace(self, customer=customer)
