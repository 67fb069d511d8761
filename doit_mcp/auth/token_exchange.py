"""Token exchange (RFC 8693): the caller's access token for one of the DoiT API; the caller's own goes no further."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import math
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import ClientSession

from ..resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from ..resilience.limits import LimitExceeded
from .errors import SIGN_IN_MESSAGE, UpstreamCredentialError
from .http_fetch import FetchError, HttpResponse, LocalShortage, fetch
from .jws import MAX_TOKEN_LENGTH, encode_base64url
from .principal import Principal
from .single_flight import SingleFlight
from .ttl_cache import TtlCache

log = logging.getLogger(__name__)

TOKEN_PATH = "/api/auth/token"
CLIENT_ID = "mcp.doit.com"
AUDIENCE = "cmp"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_TTL_SECONDS = 60

DEADLINE_SECONDS = 10.0
"""Seconds for an exchange, its repeat included."""
RETRY_DELAY_SECONDS = 0.3
MAX_RESPONSE_BYTES = 64 << 10
EXPIRY_MARGIN_SECONDS = 30.0
"""Seconds before its end at which a token is no longer used."""
DEFAULT_TTL_SECONDS = 60.0
"""Seconds that a token is used for if the answer does not say sensibly how long it lives."""
MAX_TTL_SECONDS = 86_400.0
MAX_CACHED_TOKENS = 10_000
MAX_CONCURRENT_EXCHANGES = 2_000

VISIBLE_ASCII_PATTERN = re.compile(r"[\x21-\x7e]+", re.ASCII)
# The caller's token is not to blame for these, so signing in again would not help (RFC 6749 5.2, RFC 8693 2.2.2).
UNAVAILABLE_ERROR_CODES = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_target",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "slow_down",
    }
)
REFUSED_ERROR_CODES = frozenset({"invalid_grant", "invalid_request", "invalid_token", "access_denied", "expired_token"})
# Of those, the code that says that the login is over and nothing else: invalid_request can be about our own request.
LOGIN_ENDED_ERROR_CODE = "invalid_grant"

EXCHANGE_UNAVAILABLE_MESSAGE = "The sign-in service could not give access to the DoiT API: try again shortly."


@dataclass(frozen=True, slots=True)
class ExchangedToken:
    """A token of the DoiT API, and for how many seconds it is used."""

    token: str = field(repr=False)
    ttl_seconds: float


def make_client_assertion(secret: str, endpoint: str, now: float, jwt_id: str) -> str:
    """The proof that we are the client (RFC 7523, 3): a JWT for *endpoint* only, signed with the secret by HS256.

    By hand, since PyJWT warns about a short secret and tells its length.
    """
    claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": endpoint, "jti": jwt_id}
    times = {"iat": int(now), "exp": int(now) + ASSERTION_TTL_SECONDS}
    parts = [orjson.dumps({"alg": "HS256", "typ": "JWT"}), orjson.dumps({**claims, **times})]
    signed = ".".join(map(encode_base64url, parts))
    return f"{signed}.{encode_base64url(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def make_exchange_form(subject_token: str, client_assertion: str) -> dict[str, str]:
    """The fields of the request (RFC 8693, 2.1)."""
    return {
        "grant_type": GRANT_TYPE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "requested_token_type": ACCESS_TOKEN_TYPE,
        "audience": AUDIENCE,
        "client_id": CLIENT_ID,
        "client_assertion_type": CLIENT_ASSERTION_TYPE,
        "client_assertion": client_assertion,
    }


def read_exchange_response(response: HttpResponse, subject_token: str) -> ExchangedToken:
    """The token in an answer (RFC 8693, 2.2). Raises UpstreamCredentialError; what the answer says is not repeated."""
    body = response.json_object() or {}
    if response.status != 200:
        raise _exchange_error(response, body.get("error"))
    token, kind = body.get("access_token"), body.get("token_type", "Bearer")
    usable = (
        isinstance(token, str) and len(token) <= MAX_TOKEN_LENGTH and VISIBLE_ASCII_PATTERN.fullmatch(token) is not None
    )
    # The caller's own token handed back would be the passthrough that the exchange is there to avoid.
    if not usable or token == subject_token or not isinstance(kind, str) or kind.lower() != "bearer":
        log.error("token exchange: status 200 without a usable token")
        raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE)
    assert isinstance(token, str)
    return ExchangedToken(token, _read_ttl(body.get("expires_in")))


def _exchange_error(response: HttpResponse, code: object) -> UpstreamCredentialError:
    known = code if isinstance(code, str) and code in UNAVAILABLE_ERROR_CODES | REFUSED_ERROR_CODES else "none known"
    log.warning("token exchange: status %d, error %s", response.status, known)
    if response.status in (400, 401, 403) and known in REFUSED_ERROR_CODES:
        return UpstreamCredentialError("refused", SIGN_IN_MESSAGE, login_ended=known == LOGIN_ENDED_ERROR_CODE)
    wait = response.retry_after.strip()
    seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 5 else None
    return UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE, seconds)


def _read_ttl(expires_in: object) -> float:
    """Seconds: not long where the answer says nothing sensible, none where the token is as good as over."""
    if isinstance(expires_in, bool) or not isinstance(expires_in, (int, float)) or not math.isfinite(expires_in):
        return DEFAULT_TTL_SECONDS
    return DEFAULT_TTL_SECONDS if expires_in > MAX_TTL_SECONDS else max(0.0, expires_in - EXPIRY_MARGIN_SECONDS)


class TokenExchange:
    """Tokens of the DoiT API for the access tokens of our callers, each exchanged once and kept while it serves.

    *secret* is shared with the identity provider at *issuer*; *identifier* makes a new ``jti``; *pause* waits a number
    of seconds before a repeat. While *breaker* is open nobody is exchanged anew.
    """

    def __init__(
        self,
        issuer: str,
        secret: str,
        http: ClientSession,
        clock: Callable[[], float],
        *,
        make_jwt_id: Callable[[], str] = secrets.token_urlsafe,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        deadline: float = DEADLINE_SECONDS,
        max_cached: int = MAX_CACHED_TOKENS,
        max_concurrent: int = MAX_CONCURRENT_EXCHANGES,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._endpoint = issuer.rstrip("/") + TOKEN_PATH
        self._secret = secret
        self._http = http
        self._clock = clock
        self._make_jwt_id = make_jwt_id
        self._sleep = sleep
        self._deadline = deadline
        self._breaker = breaker or CircuitBreaker("identity", single_operation=True)
        self._cache: TtlCache[str] = TtlCache(max_cached, clock)
        self._single_flight: SingleFlight[str] = SingleFlight(max_concurrent)

    async def get_token(self, principal: Principal, *, fresh: bool = False, refused_token: str = "") -> str:
        """The token for *principal*. Raises UpstreamCredentialError.

        With *fresh* not the one that was *refused_token* by the API (any, if that is not known): if another caller has
        exchanged anew since, that is fresh enough.
        """
        if principal.expires <= self._clock():
            raise UpstreamCredentialError("refused", "The access token has expired: sign in again.")
        key = principal.digest
        kept = self._cache.get(key)
        if kept is not None and (not fresh or refused_token not in ("", kept)):
            return kept
        self._cache.pop(key)
        try:
            return await self._single_flight.join(key, lambda: self._exchange(principal, key))
        except LimitExceeded:
            raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE, 1) from None

    async def close(self) -> None:
        """End what is under way."""
        await self._single_flight.close()

    async def _exchange(self, principal: Principal, key: bytes) -> str:
        asked = self._clock()
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._send_with_retry(principal)
        except CircuitOpen as shut:
            raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE, shut.retry_after) from None
        except (TimeoutError, FetchError) as error:
            log.warning("token exchange: %s", str(error) or "no complete answer in time")
            raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE) from None
        exchanged = read_exchange_response(answer, principal.token)
        self._cache.put(key, exchanged.token, min(asked + exchanged.ttl_seconds, principal.expires))
        return exchanged.token

    async def _send_with_retry(self, principal: Principal) -> HttpResponse:
        """The endpoint's answer; asked once more if the connection broke or the answer was a 5xx.

        Raises FetchError or CircuitOpen.
        """
        try:
            answer = await self._send_through_breaker(principal)
            if answer.status < 500:
                return answer
        except FetchError as error:
            log.info("token exchange: %s, asking again", error)
        await self._sleep(RETRY_DELAY_SECONDS)
        return await self._send_through_breaker(principal)

    async def _send_through_breaker(self, principal: Principal) -> HttpResponse:
        """One request; the breaker hears what became of it."""
        ticket = self._breaker.enter(principal.requester)
        try:
            answer = await self._send(principal.token)
        except LocalShortage:
            self._breaker.record_no_outcome(ticket)
            raise
        except BaseException:
            # Callers that leave do not end an exchange, so one that was canceled is one that hung.
            self._breaker.record_failure(ticket, principal.requester)
            raise
        if answer.status < 500:
            self._breaker.record_success(ticket)
        else:
            self._breaker.record_failure(ticket, principal.requester)
        return answer

    async def _send(self, subject_token: str) -> HttpResponse:
        proof = make_client_assertion(self._secret, self._endpoint, self._clock(), self._make_jwt_id())
        return await fetch(
            self._http,
            "POST",
            self._endpoint,
            name="token exchange",
            upstream=self._breaker.name,
            timeout_seconds=self._deadline,
            headers={"Accept": "application/json"},
            form=make_exchange_form(subject_token, proof),
            max_bytes=MAX_RESPONSE_BYTES,
        )
