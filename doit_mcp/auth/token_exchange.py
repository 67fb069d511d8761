"""Token exchange (RFC 8693) of a caller's access token for a DoiT API token; the access token is not forwarded."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import jwt
import orjson
from aiohttp import ClientSession
from jwt.algorithms import HMACAlgorithm

from ..resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from ..resilience.limits import LimitExceeded
from .errors import SIGN_IN_MESSAGE, UpstreamCredentialError
from .http_fetch import FetchError, HttpResponse, LocalShortage, fetch
from .jws import MAX_TOKEN_LENGTH
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
"""Time limit of an exchange, including its retry."""
RETRY_DELAY_SECONDS = 0.3
MAX_RESPONSE_BYTES = 64 << 10
EXPIRY_MARGIN_SECONDS = 30.0
"""A token is not used in the last seconds before it expires."""
DEFAULT_TTL_SECONDS = 60.0
"""How long a token is used if the response has no plausible ``expires_in``."""
MAX_TTL_SECONDS = 86_400.0
MAX_CACHED_TOKENS = 10_000
MAX_CONCURRENT_EXCHANGES = 2_000

VISIBLE_ASCII_PATTERN = re.compile(r"[\x21-\x7e]+", re.ASCII)
# Not caused by the caller's token, so signing in again would not help (RFC 6749, section 5.2; RFC 8693, section 2.2.2).
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
# The only code that means that the login has ended: invalid_request, for example, can be about our own request.
LOGIN_ENDED_ERROR_CODE = "invalid_grant"

EXCHANGE_UNAVAILABLE_MESSAGE = "The sign-in service could not grant access to the DoiT API. Try again shortly."


@dataclass(frozen=True, slots=True)
class ExchangedToken:
    """A DoiT API token and how long it is used, in seconds."""

    token: str = field(repr=False)
    ttl_seconds: float


class ClientSecretHmac(HMACAlgorithm):
    """HS256 with any secret.

    PyJWT's own HS256 warns about a short secret, quoting its length, and refuses a secret that looks like a key file.
    """

    def __init__(self) -> None:
        super().__init__(HMACAlgorithm.SHA256)

    def prepare_key(self, key: str | bytes) -> bytes:
        """Return the bytes of *key* without checks, because `serve` checks its secrets at startup."""
        return key.encode() if isinstance(key, str) else key

    def check_key_length(self, key: bytes) -> str | None:
        """Return None, because any length is accepted."""
        return None


ASSERTION_SIGNER = jwt.PyJWS(algorithms=[])
ASSERTION_SIGNER.register_algorithm("HS256", ClientSecretHmac())


def make_client_assertion(secret: str, endpoint: str, now: float, jwt_id: str) -> str:
    """Return the client assertion (RFC 7523, section 3): a JWT for *endpoint* only, signed with *secret* by HS256.

    *now* is in epoch seconds.
    """
    claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": endpoint, "jti": jwt_id}
    times = {"iat": int(now), "exp": int(now) + ASSERTION_TTL_SECONDS}
    return ASSERTION_SIGNER.encode(orjson.dumps({**claims, **times}), secret, algorithm="HS256")


def make_exchange_form(subject_token: str, client_assertion: str) -> dict[str, str]:
    """Return the form of the request (RFC 8693, section 2.1)."""
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
    """Return the token in a response (RFC 8693, section 2.2).

    Raise UpstreamCredentialError, whose message never quotes the response.
    """
    body = response.json_object() or {}
    if response.status != 200:
        raise _exchange_error(response, body.get("error"))
    token, kind = body.get("access_token"), body.get("token_type", "Bearer")
    is_usable = (
        isinstance(token, str) and len(token) <= MAX_TOKEN_LENGTH and VISIBLE_ASCII_PATTERN.fullmatch(token) is not None
    )
    # Sending the caller's own token would be the passthrough that the exchange prevents.
    if not is_usable or token == subject_token or not isinstance(kind, str) or kind.lower() != "bearer":
        log.error("token exchange: status 200 without a usable token")
        raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE)
    assert isinstance(token, str)
    return ExchangedToken(token, _read_ttl(body.get("expires_in")))


def _exchange_error(response: HttpResponse, code: object) -> UpstreamCredentialError:
    known_code = (
        code if isinstance(code, str) and code in UNAVAILABLE_ERROR_CODES | REFUSED_ERROR_CODES else "none known"
    )
    log.warning("token exchange: status %d, error %s", response.status, known_code)
    if response.status in (400, 401, 403) and known_code in REFUSED_ERROR_CODES:
        return UpstreamCredentialError("refused", SIGN_IN_MESSAGE, login_ended=known_code == LOGIN_ENDED_ERROR_CODE)
    delay = response.retry_after.strip()
    seconds = float(delay) if delay.isascii() and delay.isdigit() and len(delay) < 5 else None
    return UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE, seconds)


def _read_ttl(expires_in: object) -> float:
    """Return how long to use a token, in seconds: the default if *expires_in* is implausible, 0 if it is too short."""
    if isinstance(expires_in, bool) or not isinstance(expires_in, (int, float)) or not math.isfinite(expires_in):
        return DEFAULT_TTL_SECONDS
    return DEFAULT_TTL_SECONDS if expires_in > MAX_TTL_SECONDS else max(0.0, expires_in - EXPIRY_MARGIN_SECONDS)


class TokenExchange:
    """DoiT API tokens for access tokens, each exchanged once and cached until shortly before it expires.

    *secret* is shared with the identity provider at *issuer*. *make_jwt_id* makes a new ``jti``, *sleep* waits a number
    of seconds before a retry, and *deadline* limits an exchange, in seconds. While *breaker* is open, only cached
    tokens are available.
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
        """Return the token for *principal*. Raise UpstreamCredentialError.

        *fresh* requests a token other than *refused_token*, which the API refused. If that is "", any cached token is
        replaced. A token that another caller has exchanged since is fresh.
        """
        if principal.expires <= self._clock():
            raise UpstreamCredentialError("refused", "The access token has expired. Sign in again.")
        key = principal.digest
        cached = self._cache.get(key)
        if cached is not None and (not fresh or refused_token not in ("", cached)):
            return cached
        self._cache.pop(key)
        try:
            return await self._single_flight.join(key, lambda: self._exchange(principal, key))
        except LimitExceeded:
            raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE, 1) from None

    def expiry(self, principal: Principal) -> float:
        """Return when the cached token of *principal* expires, in epoch seconds; 0 without one."""
        return self._cache.expiry(principal.digest)

    async def close(self) -> None:
        """Cancel the exchanges in progress."""
        await self._single_flight.close()

    async def _exchange(self, principal: Principal, key: bytes) -> str:
        requested_at = self._clock()
        try:
            async with asyncio.timeout(self._deadline):
                response = await self._send_with_retry(principal)
        except CircuitOpen as circuit:
            raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE, circuit.retry_after) from None
        except (TimeoutError, FetchError) as error:
            log.warning("token exchange: %s", str(error) or "no complete response in time")
            raise UpstreamCredentialError("unavailable", EXCHANGE_UNAVAILABLE_MESSAGE) from None
        exchanged = read_exchange_response(response, principal.token)
        self._cache.put(key, exchanged.token, min(requested_at + exchanged.ttl_seconds, principal.expires))
        return exchanged.token

    async def _send_with_retry(self, principal: Principal) -> HttpResponse:
        """Return the response of the endpoint, after one retry if the connection broke or the status was 5xx.

        Raise FetchError or CircuitOpen.
        """
        try:
            response = await self._send_through_breaker(principal)
            if response.status < 500:
                return response
        except FetchError as error:
            log.info("token exchange: %s, retrying", error)
        await self._sleep(RETRY_DELAY_SECONDS)
        return await self._send_through_breaker(principal)

    async def _send_through_breaker(self, principal: Principal) -> HttpResponse:
        """Send one request and record its outcome in the circuit breaker."""
        ticket = self._breaker.enter(principal.requester)
        try:
            response = await self._send(principal.token)
        except LocalShortage:
            self._breaker.record_no_outcome(ticket)
            raise
        except BaseException:
            # Callers that disconnect do not cancel an exchange, so a canceled one has hung.
            self._breaker.record_failure(ticket, principal.requester)
            raise
        if response.status < 500:
            self._breaker.record_success(ticket)
        else:
            self._breaker.record_failure(ticket, principal.requester)
        return response

    async def _send(self, subject_token: str) -> HttpResponse:
        client_assertion = make_client_assertion(self._secret, self._endpoint, self._clock(), self._make_jwt_id())
        return await fetch(
            self._http,
            "POST",
            self._endpoint,
            name="token exchange",
            upstream=self._breaker.name,
            timeout_seconds=self._deadline,
            headers={"Accept": "application/json"},
            form=make_exchange_form(subject_token, client_assertion),
            max_bytes=MAX_RESPONSE_BYTES,
        )
