"""Who is calling, once that is verified."""

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

    *subject* is the user: for a DoiT API token, the e-mail address that the API returned. *customer* is what requests
    to the API name as the tenant: "" for an API token, whose tenant the API knows. *domain* is the domain that the API
    returned for an API token; it is never sent to the API. *kind* says whether *token* is an access token of the
    identity provider or a DoiT API token; *expires* is when its verification ends, in epoch seconds.

    *tenant* is the customer whose data the caller sees, for keys and logs: *customer*, or else *domain*.

    *requester* is how circuit breakers tell callers apart.

    *owner* is the key of sessions, tasks, kept tables, receipts and limits: the same for every token of one user at one
    customer, and different for two users or two customers.
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
    # What caches go by that hold something of this token: computed once, not with each request.
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenant", self.customer or self.domain)
        object.__setattr__(self, "requester", Requester.for_user(self.subject, self.tenant))
        # As JSON, so that no subject can be made up to run into a tenant.
        named = orjson.dumps([self.kind, self.subject, self.tenant])
        object.__setattr__(self, "owner", hashlib.sha256(named).hexdigest()[:32])
        object.__setattr__(self, "digest", token_digest(self.token))

    @property
    def token_label(self) -> str:
        """What tells the API tokens of one user apart, without telling anything of them; "" for access tokens, of which
        there is a new one every hour."""
        return self.digest.hex()[:8] if self.kind == "api" else ""

    def for_customer(self, customer: str) -> Principal:
        """The same employee for another customer. Raises PermissionError for everybody else."""
        if not self.employee:
            raise PermissionError("only employees act for other customers")
        return replace(self, customer=customer)
