"""Who is calling, once that is verified."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from .bearer import digest


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller.

    *customer* is the tenant ("" where the credential names none); *kind* says whether *token* is an access token of
    the identity provider or a DoiT API token; *expires* is when its verification ends, in epoch seconds. *owner* is
    what sessions, limits and logs go by: the same for every token of the same user in the same customer, and never
    for two of them.
    """

    subject: str
    customer: str
    employee: bool
    kind: Literal["jwt", "api"]
    token: str = field(repr=False)
    expires: float
    # For the audit log. Access tokens name no domain.
    email: str = ""
    domain: str = ""
    owner: str = field(init=False)
    # What caches go by that hold something of this token: computed once, not with each request.
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # As JSON, so that no subject can be made up to run into a customer.
        named = orjson.dumps([self.kind, self.subject, self.customer])
        object.__setattr__(self, "owner", hashlib.sha256(named).hexdigest()[:32])
        object.__setattr__(self, "digest", digest(self.token))

    @property
    def token_label(self) -> str:
        """What tells the API tokens of one user apart, without telling anything of them; "" for access tokens, of which
        there is a new one every hour."""
        return self.digest.hex()[:8] if self.kind == "api" else ""

    def acting_for(self, customer: str) -> Principal:
        """The same employee for another customer. Raises PermissionError for everybody else (security C2)."""
        if not self.employee:
            raise PermissionError("only employees act for other customers")
        return replace(self, customer=customer)
