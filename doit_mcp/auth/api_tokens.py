"""Verification of DoiT API tokens: the DoiT API identifies the user, and its response is cached for 30 seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

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
"""How long a response is cached, positive or negative, and so how long a revoked token still works."""
VERIFIED_TTL_SECONDS = 86_400.0
SHARE_INTERVAL_SECONDS = 3_600.0
"""Interval, in seconds, at which a token in use is reported to other replicas again."""
MAX_REMEMBERED_TOKENS = 10_000
MAX_CONCURRENT_VALIDATIONS = 500
MAX_TEXT_LENGTH = 320
# Statuses that are temporary: the refusal is not cached.
TEMPORARY_STATUSES = frozenset({408, 425, 429})

TOKEN_REFUSED_MESSAGE = "The bearer token is neither an access token for this server nor a valid DoiT API token."
USER_REFUSED_MESSAGE = (
    "The DoiT API does not accept this user: the user's role needs the permission Billing Profiles Admin, and the"
    " customer's plan needs DoiT API access."
)
VALIDATION_UNAVAILABLE_MESSAGE = "The DoiT API cannot check the API token at the moment."


class ValidatedUser(NamedTuple):
    """The user of a token, as the DoiT API identifies them.

    *domain* is the domain of the customer; the API has one customer per domain. *employee* is whether the user works
    for DoiT.
    """

    email: str
    domain: str
    employee: bool


class Refusal(NamedTuple):
    """Why a token is refused, for the caller, and whether the next attempt may differ."""

    message: str
    is_temporary: bool = False


def read_validation(response: HttpResponse, *, as_employee: bool) -> ValidatedUser | None:
    """Return the user in a response, or None if the token was refused.

    Raise AuthError 503 if the response shows neither.
    """
    if response.status >= 500:
        raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 5)
    if response.status != 200:
        return None
    body = response.json_object() or {}
    domain, email = body.get("domain"), body.get("email")
    if not _is_text(domain) or not _is_text(email) or "@" not in str(email):
        log.error("API token check returned 200 without a user")
        raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 5)
    if as_employee and domain != EMPLOYEE_DOMAIN:
        return None
    return ValidatedUser(str(email).lower(), str(domain).lower(), as_employee)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_LENGTH and value.isprintable()


def is_malformed_jwt(token: str) -> bool:
    """Return whether *token* starts like a JWT but cannot be parsed as one, so that its claimed subject is unknown."""
    objects = find_json_objects(token.partition(".")[0])
    return bool(objects) and "alg" in objects[0] and parse_jws(token) is None


def names_other_subject(token: str, email: str) -> bool:
    """Return whether *token* looks like a JWT whose subject is not *email*."""
    subjects = [members["sub"] for members in find_json_objects(token) if "sub" in members]
    return any(not isinstance(subject, str) or subject.lower() != email.lower() for subject in subjects)


def _rate_limited_error(exceeded: LimitExceeded) -> AuthError:
    return AuthError(429, "rate_limited", str(exceeded), retry_after=int(exceeded.retry_after) + 1)


class ApiTokenVerifier:
    """Verifies API tokens at *api_base*, which may have a path.

    *timeout* is in seconds; *max_concurrent* bounds the requests in progress. *shared_attempts* limits failed attempts
    over all replicas, and *verified_tokens* holds the tokens that any replica has verified. *on_refused* is called with
    the digest of every token that the API refuses for good.
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
        # Refused tokens, with the message for the caller.
        self._refused: TtlCache[str] = TtlCache(MAX_REMEMBERED_TOKENS, clock)
        # Verified tokens, with the time when each was last reported to other replicas.
        self._verified: TtlCache[float] = TtlCache(MAX_REMEMBERED_TOKENS, clock)
        self._single_flight: SingleFlight[Principal | str] = SingleFlight(max_concurrent)
        self._attempts = AttemptLimiter(clock)
        self._shared_attempts, self._shared_verified = shared_attempts, verified_tokens
        self._on_refused = on_refused

    async def verify(self, token: str, address: str) -> Principal:
        """Return the user of *token*, sent from *address* ("" if unknown). Raise AuthError 401, 429 or 503."""
        key = token_digest(token)
        refusal = TOKEN_REFUSED_MESSAGE if is_malformed_jwt(token) else self._refused.get(key)
        if refusal is not None:
            raise invalid_token_error(refusal)
        # A token that was verified before still works when unauthenticated clients have used up the attempts.
        verified = self._verified.get(key) is not None
        # Taken before a request starts, so that unauthenticated clients cannot occupy all of max_concurrent.
        if not verified and key not in self._single_flight:
            try:
                self._attempts.acquire(address)
            except LimitExceeded as exceeded:
                if not self._attempts.try_acquire_reserved(address):
                    verified = await self._require_verified_elsewhere(key, exceeded)
        try:
            result = await self._single_flight.join(key, lambda: self._verify_once(token, key, address, verified))
        except LimitExceeded:
            raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 1) from None
        if isinstance(result, str):
            raise invalid_token_error(result)
        return result

    def forget(self, token: str) -> None:
        """Forget that *token* was verified, because the DoiT API refused it."""
        self._forget_verification(token_digest(token))

    async def close(self) -> None:
        """Cancel the requests in progress."""
        await self._single_flight.close()

    async def _verify_once(self, token: str, key: bytes, address: str, verified: bool) -> Principal | str:
        """Return the user of *token*, or why it is refused. Raise AuthError 429 or 503."""
        requested_at = self._clock()
        if not verified:
            verified = await self._take_shared_attempt(key, address)
        user = await self._validate(token)
        if isinstance(user, ValidatedUser) and names_other_subject(token, user.email):
            user = Refusal(TOKEN_REFUSED_MESSAGE)
        if isinstance(user, Refusal):
            if verified:
                # Only for verified tokens: otherwise a flood of wrong tokens would reach Redis.
                self._forget_verification(key)
            if not user.is_temporary:
                self._refused.put(key, user.message, requested_at + VALIDATION_TTL_SECONDS)
                self._on_refused(key)
            return user.message
        if not verified:
            self._give_back_attempt(address)
        self._attempts.record_success(address)
        self._share_verification(key, requested_at)
        return Principal(
            subject=user.email,
            # The API derives the tenant from the token, so requests name none.
            customer="",
            employee=user.employee,
            kind="api",
            token=token,
            expires=requested_at + VALIDATION_TTL_SECONDS,
            email=user.email,
            domain=user.domain,
        )

    async def _take_shared_attempt(self, key: bytes, address: str) -> bool:
        """Take an attempt from the limit that all replicas share.

        Return True if the token needs none because another replica has verified it. Raise AuthError 429.
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
        """Return True if another replica or an earlier process verified the token. Raise AuthError 429 otherwise."""
        if self._shared_verified is None or not await self._shared_verified.contains(key):
            raise _rate_limited_error(exceeded) from None
        return True

    def _share_verification(self, key: bytes, now: float) -> None:
        shared_at = self._verified.get(key)
        if self._shared_verified is not None and (shared_at is None or shared_at + SHARE_INTERVAL_SECONDS <= now):
            self._shared_verified.add(key)
            shared_at = now
        self._verified.put(key, now if shared_at is None else shared_at, now + VERIFIED_TTL_SECONDS)

    def _forget_verification(self, key: bytes) -> None:
        self._verified.pop(key)
        if self._shared_verified is not None:
            self._shared_verified.remove(key)

    def _give_back_attempt(self, address: str) -> None:
        self._attempts.release(address)
        if self._shared_attempts is not None:
            self._shared_attempts.release(address)

    async def _validate(self, token: str) -> ValidatedUser | Refusal:
        """Return the user, or the refusal of *token*.

        Legacy tokens of employees get 403 without a customer context, so a 403 is retried with the one that DoiT's
        command-line client sends.
        """
        response = await self._send_validation(token, "")
        as_employee = response.status == 403
        if as_employee:
            response = await self._send_validation(token, f"?customerContext={EMPLOYEE_DOMAIN}")
        user = read_validation(response, as_employee=as_employee)
        # The API knows the user of a token that gets 403; an unknown token gets 401.
        message = USER_REFUSED_MESSAGE if as_employee else TOKEN_REFUSED_MESSAGE
        return Refusal(message, response.status in TEMPORARY_STATUSES) if user is None else user

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
            log.warning("API token check: %s", error)
            raise unavailable_error(VALIDATION_UNAVAILABLE_MESSAGE, 5) from None
