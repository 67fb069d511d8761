"""DoiT API tokens: a bearer that is no access token is whoever the DoiT API says it is, for half a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import ClientSession

from ..resilience.limits import LimitExceeded, SharedLimiter
from .bearer import token_digest
from .errors import AuthError, invalid_token_error, unavailable_error
from .failed_attempts import AttemptLimiter, SharedVerifiedTokens
from .http_fetch import FetchError, HttpResponse, fetch
from .jws import find_json_objects, parse_jws
from .principal import Principal
from .single_flight import SingleFlight
from .ttl_cache import TtlCache

log = logging.getLogger(__name__)

VALIDATE_PATH = "/auth/v1/validate"
EMPLOYEE_DOMAIN = "doit.com"
TIMEOUT_SECONDS = 8.0
MAX_RESPONSE_BYTES = 64 << 10
VALIDATION_TTL_SECONDS = 30.0
"""Seconds that an answer counts, good or bad: a revoked token is dead after them."""
VERIFIED_TTL_SECONDS = 86_400.0
SHARE_INTERVAL_SECONDS = 3_600.0
"""Interval, in seconds, at which a token in use is reported to other replicas again."""
MAX_REMEMBERED_TOKENS = 10_000
MAX_CONCURRENT_VALIDATIONS = 500
MAX_TEXT_LENGTH = 320
# Statuses that say "not now", not "never": the refusal is not remembered.
TEMPORARY_STATUSES = frozenset({408, 425, 429})

TOKEN_REFUSED_MESSAGE = "The bearer token is neither an access token for this server nor a valid DoiT API token."
VALIDATION_UNAVAILABLE_MESSAGE = "The DoiT API cannot check the API token at the moment."


@dataclass(frozen=True, slots=True)
class ValidatedUser:
    """What the DoiT API says about a token: its user, the domain of its customer, and whether the user is an employee
    of DoiT. The API has one customer for a domain."""

    email: str
    domain: str
    employee: bool


def read_validation(response: HttpResponse, *, as_employee: bool) -> ValidatedUser | None:
    """The identity in an answer; None where the token is refused. Raises AuthError 503 where it says neither."""
    if response.status >= 500:
        raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 5)
    if response.status != 200:
        return None
    body = response.json_object() or {}
    domain, email = body.get("domain"), body.get("email")
    if not _is_text(domain) or not _is_text(email) or "@" not in str(email):
        log.error("validate: status 200 without an identity")
        raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 5)
    if as_employee and domain != EMPLOYEE_DOMAIN:
        return None
    return ValidatedUser(str(email).lower(), str(domain).lower(), as_employee)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_LENGTH and value.isprintable()


def is_malformed_jwt(token: str) -> bool:
    """Whether *token* starts as a JWT does and cannot be read as one: who can say whose it claims to be?"""
    seen = find_json_objects(token.partition(".")[0])
    return bool(seen) and "alg" in seen[0] and parse_jws(token) is None


def names_other_subject(token: str, email: str) -> bool:
    """Whether *token* reads like a JWT that names somebody else as its subject."""
    subjects = [seen["sub"] for seen in find_json_objects(token) if "sub" in seen]
    return any(not isinstance(subject, str) or subject.lower() != email.lower() for subject in subjects)


def _rate_limited_error(exceeded: LimitExceeded) -> AuthError:
    return AuthError(429, "rate_limited", str(exceeded), retry_after=int(exceeded.retry_after) + 1)


class ApiTokenVerifier:
    """Checks API tokens at *api_base* (its path is kept); *shared* counts the tries of all replicas together.

    *refused* is called with the digest of every token that the API refuses.
    """

    def __init__(
        self,
        api_base: str,
        http: ClientSession,
        clock: Callable[[], float],
        *,
        timeout: float = TIMEOUT_SECONDS,
        max_concurrent: int = MAX_CONCURRENT_VALIDATIONS,
        shared_attempts: SharedLimiter | None = None,
        verified_tokens: SharedVerifiedTokens | None = None,
        on_refused: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._url = api_base.rstrip("/") + VALIDATE_PATH
        self._http = http
        self._clock = clock
        self._timeout = timeout
        self._refused: TtlCache[bool] = TtlCache(MAX_REMEMBERED_TOKENS, clock)
        # When each was last reported to other replicas.
        self._verified: TtlCache[float] = TtlCache(MAX_REMEMBERED_TOKENS, clock)
        self._single_flight: SingleFlight[Principal | None] = SingleFlight(max_concurrent)
        self._attempts = AttemptLimiter(clock)
        self._shared_attempts, self._shared_verified = shared_attempts, verified_tokens
        self._on_refused = on_refused

    async def verify(self, token: str, address: str) -> Principal:
        """The caller behind *token*, sent from *address* ("" if unknown). Raises AuthError 401, 429 or 503."""
        key = token_digest(token)
        if self._refused.get(key) or is_malformed_jwt(token):
            raise invalid_token_error(TOKEN_REFUSED_MESSAGE)
        # Who was let in before is not locked out by strangers who use the tries up.
        proven = self._verified.get(key) is not None
        # Before anything is started: what strangers can have under way leaves room for others.
        if not proven and key not in self._single_flight:
            try:
                self._attempts.acquire(address)
            except LimitExceeded as exceeded:
                if not self._attempts.try_acquire_reserved(address):
                    proven = await self._require_verified_elsewhere(key, exceeded)
        try:
            found = await self._single_flight.join(key, lambda: self._verify_once(token, key, address, proven))
        except LimitExceeded:
            raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 1) from None
        if found is None:
            raise invalid_token_error(TOKEN_REFUSED_MESSAGE)
        return found

    def forget(self, token: str) -> None:
        """The DoiT API refused *token*: it is nothing special any more."""
        self._forget_verification(token_digest(token))

    async def close(self) -> None:
        """End what is under way."""
        await self._single_flight.close()

    async def _verify_once(self, token: str, key: bytes, address: str, verified: bool) -> Principal | None:
        asked = self._clock()
        if not verified:
            verified = await self._take_shared_attempt(key, address)
        validated, passing = await self._validate(token)
        if validated is None or names_other_subject(token, validated.email):
            if verified:
                # Of others Redis is not told: a flood of wrong tokens would be a flood there.
                self._forget_verification(key)
            if not passing:
                self._refused.put(key, True, asked + VALIDATION_TTL_SECONDS)
                self._on_refused(key)
            return None
        if not verified:
            self._give_back_attempt(address)
        self._attempts.record_success(address)
        self._share_verification(key, asked)
        return Principal(
            subject=validated.email,
            # The API knows the tenant of a token; only a caller who has several must name one.
            customer="",
            employee=validated.employee,
            kind="api",
            token=token,
            expires=asked + VALIDATION_TTL_SECONDS,
            email=validated.email,
            domain=validated.domain,
        )

    async def _take_shared_attempt(self, key: bytes, address: str) -> bool:
        """Take a try at all replicas together; concurrent requests with one token take one.

        Whether the token needs no try, because it was proven at another replica. Raises AuthError 429.
        """
        if self._shared_attempts is None:
            return False
        try:
            await self._shared_attempts.acquire(address)
        except LimitExceeded as exceeded:
            self._attempts.release(address)
            return await self._require_verified_elsewhere(key, exceeded)
        return False

    async def _require_verified_elsewhere(self, key: bytes, exceeded: LimitExceeded) -> bool:
        """True for a token that was proven before this process began or at another one; raises AuthError 429."""
        if self._shared_verified is None or not await self._shared_verified.contains(key):
            raise _rate_limited_error(exceeded) from None
        return True

    def _share_verification(self, key: bytes, now: float) -> None:
        told = self._verified.get(key)
        if self._shared_verified is not None and (told is None or told + SHARE_INTERVAL_SECONDS <= now):
            self._shared_verified.add(key)
            told = now
        self._verified.put(key, now if told is None else told, now + VERIFIED_TTL_SECONDS)

    def _forget_verification(self, key: bytes) -> None:
        self._verified.pop(key)
        if self._shared_verified is not None:
            self._shared_verified.remove(key)

    def _give_back_attempt(self, address: str) -> None:
        self._attempts.release(address)
        if self._shared_attempts is not None:
            self._shared_attempts.release(address)

    async def _validate(self, token: str) -> tuple[ValidatedUser | None, bool]:
        """What the API says, and whether that may change soon. Employees' legacy tokens get 403 unless they name a
        context: then it is asked again as DoiT's command-line client does."""
        answer = await self._send_validation(token, "")
        as_employee = answer.status == 403
        if as_employee:
            answer = await self._send_validation(token, f"?customerContext={EMPLOYEE_DOMAIN}")
        return read_validation(answer, as_employee=as_employee), answer.status in TEMPORARY_STATUSES

    async def _send_validation(self, token: str, query: str) -> HttpResponse:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            return await fetch(
                self._http,
                "GET",
                self._url + query,
                name="API token",
                upstream="api",
                timeout_seconds=self._timeout,
                headers=headers,
                max_bytes=MAX_RESPONSE_BYTES,
            )
        except FetchError as error:
            log.warning("validate: %s", error)
            raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 5) from None
