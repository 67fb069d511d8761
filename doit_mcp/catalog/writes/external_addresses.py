"""Which email addresses are outside the domains of the customer that the API states."""

from __future__ import annotations

import re
import unicodedata

from ...api.errors import ApiError
from ..call import Call
from .plain_text import to_plain_text

EMAIL_DOMAIN = re.compile(r"@([^\s@,;()<>\[\]{}|\\\"'`]{1,253})")
DOMAINS_FACT = "domains"
MAX_DOMAINS = 100
OUTSIDE = "outside the customer's domains"


async def customer_domains(call: Call) -> tuple[str, ...]:
    """Return the domains of the customer, in lower case; empty if they cannot be read.

    Raises ApiError for a credential that is no longer accepted.
    """
    known: list[str] | None = call.facts.get(DOMAINS_FACT)
    if known is None:
        known = await _read_domains(call)
        if known:
            call.facts.put(DOMAINS_FACT, known)
    return tuple(known)


async def _read_domains(call: Call) -> list[str]:
    domains: list[object] = []
    try:
        customer = await call.doit.customers.get_customer()
        domains = [customer.get("primaryDomain"), *(customer.get("domains") or ())]
    except ApiError as error:
        if error.kind == "credential":
            raise
    if not any(domains):
        try:
            # Users without permission for the settings see only this domain.
            domains = [(await call.doit.auth.validate_user()).get("domain")]
        except ApiError as error:
            if error.kind == "credential":
                raise
    texts = (to_plain_text(domain).lower() for domain in domains if isinstance(domain, str) and domain)
    return list(dict.fromkeys(texts))[:MAX_DOMAINS]


def is_external(text: str, domains: tuple[str, ...]) -> bool:
    """Return whether *text* has an email address outside *domains*; False if those are unknown."""
    if not domains:
        return False
    # Programs that read addresses treat full-width letters and similar variants as the ordinary ones.
    found = EMAIL_DOMAIN.findall(unicodedata.normalize("NFKC", text))
    return any(domain.rstrip(".:!?").lower() not in domains for domain in found)
