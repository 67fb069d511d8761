"""DoiT API tokens: a bearer that is no access token is whoever the DoiT API says it is, for half a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import ClientSession

from .bearer import digest
from .errors import AuthError, invalid_token, unavailable
from .failed_attempts import BY_ADDRESS, TOTAL, SharedProven, SharedTries, Tries
from .http_fetch import Answer, FetchError, fetch
from .jws import glimpses, parse
from .principal import Principal
from .single_flight import Flights, TooManyFlights
from .ttl_cache import Bounded

log = logging.getLogger(__name__)

PATH = "/auth/v1/validate"
EMPLOYEE_DOMAIN = "doit.com"
TIMEOUT = 8.0
MAX_ANSWER = 64 << 10
REMEMBERED = 30.0
"""Seconds that an answer counts, good or bad: a revoked token is dead after them (security P3)."""
PROVEN = 86_400.0
SHARED_AGAIN = 3_600.0
"""Interval, in seconds, at which a token in use is reported to other replicas again."""
MAX_REMEMBERED = 10_000
MAX_FLIGHTS = 500
MAX_TEXT = 320
# Statuses that say "not now", not "never": the refusal is not remembered.
PASSING = frozenset({408, 425, 429})

REFUSED = "The bearer token is neither an access token for this server nor a valid DoiT API token."
LATER = "The DoiT API cannot check the API token at the moment."


@dataclass(frozen=True, slots=True)
class Validated:
    """What the DoiT API says about a token: its user, the domain of its customer, and whether the user is an employee
    of DoiT. The API has one customer for a domain."""

    email: str
    domain: str
    employee: bool


def read_validation(answer: Answer, *, as_employee: bool) -> Validated | None:
    """The identity in an answer; None where the token is refused. Raises AuthError 503 where it says neither (P1)."""
    if answer.status >= 500:
        raise unavailable(LATER, 5)
    if answer.status != 200:
        return None
    body = answer.json_object() or {}
    domain, email = body.get("domain"), body.get("email")
    if not _is_text(domain) or not _is_text(email) or "@" not in str(email):
        log.error("validate: status 200 without an identity")
        raise unavailable(LATER, 5)
    if as_employee and domain != EMPLOYEE_DOMAIN:
        return None
    return Validated(str(email).lower(), str(domain).lower(), as_employee)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def is_malformed_jwt(token: str) -> bool:
    """Whether *token* starts as a JWT does and cannot be read as one: who can say whose it claims to be?"""
    seen = glimpses(token.partition(".")[0])
    return bool(seen) and "alg" in seen[0] and parse(token) is None


def contradicts(token: str, email: str) -> bool:
    """Whether *token* reads like a JWT that names somebody else as its subject (security P2)."""
    subjects = [seen["sub"] for seen in glimpses(token) if "sub" in seen]
    return any(not isinstance(subject, str) or subject.lower() != email.lower() for subject in subjects)


def _too_many(wait: float) -> AuthError:
    return AuthError(429, "rate_limited", "Too many tokens were refused: wait.", retry_after=int(wait) + 1)


class ApiTokens:
    """Checks API tokens at *api_base* (its path is kept); *shared* counts the tries of all replicas together.

    *refused* is called with the digest of every token that the API refuses.
    """

    def __init__(
        self,
        api_base: str,
        http: ClientSession,
        clock: Callable[[], float],
        *,
        timeout: float = TIMEOUT,
        flights: int = MAX_FLIGHTS,
        shared: SharedTries | None = None,
        proven: SharedProven | None = None,
        refused: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._url = api_base.rstrip("/") + PATH
        self._http = http
        self._clock = clock
        self._timeout = timeout
        self._refused: Bounded[bool] = Bounded(MAX_REMEMBERED, clock)
        # When each was last reported to other replicas.
        self._proven: Bounded[float] = Bounded(MAX_REMEMBERED, clock)
        self._flights: Flights[Principal | None] = Flights(flights)
        self._tries = Tries(clock, total=TOTAL, by_address=BY_ADDRESS)
        self._shared, self._shared_proven = shared, proven
        self._on_refused = refused

    async def principal(self, token: str, address: str) -> Principal:
        """The caller behind *token*, sent from *address* ("" if unknown). Raises AuthError 401, 429 or 503."""
        key = digest(token)
        if self._refused.get(key) or is_malformed_jwt(token):
            raise invalid_token(REFUSED)
        # Who was let in before is not locked out by strangers who use the tries up.
        proven = self._proven.get(key) is not None
        # Before anything is started: what strangers can have under way leaves room for others.
        if not proven and key not in self._flights and (wait := self._tries.take(address)):
            if not self._tries.take_reserved(address):
                proven = await self._proven_elsewhere(key, wait)
        try:
            found = await self._flights.join(key, lambda: self._checked(token, key, address, proven))
        except TooManyFlights:
            raise unavailable(LATER, 1) from None
        if found is None:
            raise invalid_token(REFUSED)
        return found

    def forget(self, token: str) -> None:
        """The DoiT API refused *token*: it is nothing special any more."""
        self._not_proven(digest(token))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _checked(self, token: str, key: bytes, address: str, proven: bool) -> Principal | None:
        asked = self._clock()
        if not proven:
            proven = await self._tried_elsewhere(key, address)
        validated, passing = await self._validated(token)
        if validated is None or contradicts(token, validated.email):
            if proven:
                # Of others Redis is not told: a flood of wrong tokens would be a flood there.
                self._not_proven(key)
            if not passing:
                self._refused.put(key, True, asked + REMEMBERED)
                self._on_refused(key)
            return None
        if not proven:
            self._give_back(address)
        self._tries.proved(address)
        self._share_proof(key, asked)
        return Principal(
            subject=validated.email,
            # The API knows the tenant of a token; only a caller who has several must name one.
            customer="",
            employee=validated.employee,
            kind="api",
            token=token,
            expires=asked + REMEMBERED,
            email=validated.email,
            domain=validated.domain,
        )

    async def _tried_elsewhere(self, key: bytes, address: str) -> bool:
        """Take a try at all replicas together; concurrent requests with one token take one.

        Whether the token needs no try, because it was proven at another replica. Raises AuthError 429.
        """
        if self._shared is None or not (wait := await self._shared.take(address)):
            return False
        self._tries.give_back(address)
        return await self._proven_elsewhere(key, wait)

    async def _proven_elsewhere(self, key: bytes, wait: float) -> bool:
        """True for a token that was proven before this process began or at another one; raises AuthError 429."""
        if self._shared_proven is None or not await self._shared_proven.knows(key):
            raise _too_many(wait)
        return True

    def _share_proof(self, key: bytes, now: float) -> None:
        told = self._proven.get(key)
        if self._shared_proven is not None and (told is None or told + SHARED_AGAIN <= now):
            self._shared_proven.add(key)
            told = now
        self._proven.put(key, now if told is None else told, now + PROVEN)

    def _not_proven(self, key: bytes) -> None:
        self._proven.pop(key)
        if self._shared_proven is not None:
            self._shared_proven.remove(key)

    def _give_back(self, address: str) -> None:
        self._tries.give_back(address)
        if self._shared is not None:
            self._shared.give_back(address)

    async def _validated(self, token: str) -> tuple[Validated | None, bool]:
        """What the API says, and whether that may change soon. Employees' legacy tokens get 403 unless they name a
        context: then it is asked again as DoiT's command-line client does."""
        answer = await self._ask(token, "")
        as_employee = answer.status == 403
        if as_employee:
            answer = await self._ask(token, f"?customerContext={EMPLOYEE_DOMAIN}")
        return read_validation(answer, as_employee=as_employee), answer.status in PASSING

    async def _ask(self, token: str, query: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            return await fetch(
                self._http,
                "GET",
                self._url + query,
                name="API token",
                upstream="api",
                seconds=self._timeout,
                headers=headers,
                most=MAX_ANSWER,
            )
        except FetchError as error:
            log.warning("validate: %s", error)
            raise unavailable(LATER, 5) from None
