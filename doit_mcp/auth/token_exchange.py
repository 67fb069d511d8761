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

from ..resilience.circuit_breaker import Breaker, CircuitOpen
from .errors import SIGN_IN, UpstreamCredentialError
from .http_fetch import Answer, FetchError, OwnShortage, fetch
from .jws import MAX_TOKEN, base64
from .principal import Principal
from .single_flight import Flights, TooManyFlights
from .ttl_cache import Bounded

log = logging.getLogger(__name__)

PATH = "/api/auth/token"
CLIENT_ID = "mcp.doit.com"
AUDIENCE = "cmp"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE = 60

DEADLINE = 10.0
"""Seconds for an exchange, its repeat included."""
PAUSE = 0.3
MAX_ANSWER = 64 << 10
MARGIN = 30.0
"""Seconds before its end at which a token is no longer used."""
UNSAID_LIFE = 60.0
"""Seconds that a token is used for if the answer does not say sensibly how long it lives."""
LONGEST_LIFE = 86_400.0
MAX_CACHED = 10_000
MAX_FLIGHTS = 2_000

VISIBLE = re.compile(r"[\x21-\x7e]+", re.ASCII)
# The caller's token is not to blame for these, so signing in again would not help (RFC 6749 5.2, RFC 8693 2.2.2).
OUR_FAULT = frozenset(
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
THEIR_FAULT = frozenset({"invalid_grant", "invalid_request", "invalid_token", "access_denied", "expired_token"})
# Of those, the code that says that the login is over and nothing else: invalid_request can be about our own request.
LOGIN_ENDED = "invalid_grant"

LATER = "The sign-in service could not give access to the DoiT API: try again shortly."


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A token of the DoiT API, and for how many seconds it is used."""

    token: str = field(repr=False)
    serves: float


def assertion(secret: str, endpoint: str, now: float, identifier: str) -> str:
    """The proof that we are the client (RFC 7523, 3): a JWT for *endpoint* only, signed with the secret by HS256.

    By hand, since PyJWT warns about a short secret and tells its length (security X6).
    """
    claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": endpoint, "jti": identifier}
    times = {"iat": int(now), "exp": int(now) + ASSERTION_LIFE}
    parts = [orjson.dumps({"alg": "HS256", "typ": "JWT"}), orjson.dumps({**claims, **times})]
    signed = ".".join(map(base64, parts))
    return f"{signed}.{base64(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def exchange_form(subject_token: str, client_assertion: str) -> dict[str, str]:
    """The fields of the request (RFC 8693, 2.1)."""
    return {
        "grant_type": GRANT,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": ACCESS_TOKEN,
        "audience": AUDIENCE,
        "client_id": CLIENT_ID,
        "client_assertion_type": JWT_BEARER,
        "client_assertion": client_assertion,
    }


def read_exchange(answer: Answer, subject_token: str) -> Exchanged:
    """The token in an answer (RFC 8693, 2.2). Raises UpstreamCredentialError; what the answer says is not repeated."""
    body = answer.json_object() or {}
    if answer.status != 200:
        raise _failure(answer, body.get("error"))
    token, kind = body.get("access_token"), body.get("token_type", "Bearer")
    usable = isinstance(token, str) and len(token) <= MAX_TOKEN and VISIBLE.fullmatch(token) is not None
    # The caller's own token handed back would be the passthrough that the exchange is there to avoid (security X1).
    if not usable or token == subject_token or not isinstance(kind, str) or kind.lower() != "bearer":
        log.error("token exchange: status 200 without a usable token")
        raise UpstreamCredentialError("unavailable", LATER)
    assert isinstance(token, str)
    return Exchanged(token, _serves(body.get("expires_in")))


def _failure(answer: Answer, code: object) -> UpstreamCredentialError:
    known = code if isinstance(code, str) and code in OUR_FAULT | THEIR_FAULT else "none known"
    log.warning("token exchange: status %d, error %s", answer.status, known)
    if answer.status in (400, 401, 403) and known in THEIR_FAULT:
        return UpstreamCredentialError("refused", SIGN_IN, ended=known == LOGIN_ENDED)
    wait = answer.retry_after.strip()
    seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 5 else None
    return UpstreamCredentialError("unavailable", LATER, seconds)


def _serves(expires_in: object) -> float:
    """Seconds: not long where the answer says nothing sensible, none where the token is as good as over (X3)."""
    if isinstance(expires_in, bool) or not isinstance(expires_in, (int, float)) or not math.isfinite(expires_in):
        return UNSAID_LIFE
    return UNSAID_LIFE if expires_in > LONGEST_LIFE else max(0.0, expires_in - MARGIN)


class Exchange:
    """Tokens of the DoiT API for the access tokens of our callers, each exchanged once and kept while it serves.

    *secret* is shared with the identity provider at *issuer*; *identifier* makes a new ``jti``; *pause* waits a number
    of seconds before a repeat. While *breaker* is open nobody is exchanged anew (security F8).
    """

    def __init__(
        self,
        issuer: str,
        secret: str,
        http: ClientSession,
        clock: Callable[[], float],
        *,
        identifier: Callable[[], str] = secrets.token_urlsafe,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        deadline: float = DEADLINE,
        kept: int = MAX_CACHED,
        flights: int = MAX_FLIGHTS,
        breaker: Breaker | None = None,
    ) -> None:
        self._endpoint = issuer.rstrip("/") + PATH
        self._secret = secret
        self._http = http
        self._clock = clock
        self._identifier = identifier
        self._pause = pause
        self._deadline = deadline
        self._breaker = breaker or Breaker("identity", single=True)
        self._kept: Bounded[str] = Bounded(kept, clock)
        self._flights: Flights[str] = Flights(flights)

    async def token(self, principal: Principal, *, fresh: bool = False, refused: str = "") -> str:
        """The token for *principal*. Raises UpstreamCredentialError.

        With *fresh* not the one that was *refused* by the API (any, if that is not known): if another caller has
        exchanged anew since, that is fresh enough.
        """
        if principal.expires <= self._clock():
            raise UpstreamCredentialError("refused", "The access token has expired: sign in again.")
        key = principal.digest
        kept = self._kept.get(key)
        if kept is not None and (not fresh or refused not in ("", kept)):
            return kept
        self._kept.pop(key)
        try:
            return await self._flights.join(key, lambda: self._exchanged(principal, key))
        except TooManyFlights:
            raise UpstreamCredentialError("unavailable", LATER, 1) from None

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _exchanged(self, principal: Principal, key: bytes) -> str:
        asked = self._clock()
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._answer(principal)
        except CircuitOpen as shut:
            raise UpstreamCredentialError("unavailable", LATER, shut.seconds) from None
        except (TimeoutError, FetchError) as error:
            log.warning("token exchange: %s", str(error) or "no complete answer in time")
            raise UpstreamCredentialError("unavailable", LATER) from None
        exchanged = read_exchange(answer, principal.token)
        self._kept.put(key, exchanged.token, min(asked + exchanged.serves, principal.expires))
        return exchanged.token

    async def _answer(self, principal: Principal) -> Answer:
        """The endpoint's answer; asked once more if the connection broke or the answer was a 5xx.

        Raises FetchError or CircuitOpen.
        """
        try:
            answer = await self._judged(principal)
            if answer.status < 500:
                return answer
        except FetchError as error:
            log.info("token exchange: %s, asking again", error)
        await self._pause(PAUSE)
        return await self._judged(principal)

    async def _judged(self, principal: Principal) -> Answer:
        """One request; the breaker hears what became of it."""
        ticket = self._breaker.enter(principal.requester)
        try:
            answer = await self._ask(principal.token)
        except OwnShortage:
            self._breaker.left(ticket)
            raise
        except BaseException:
            # Callers that leave do not end an exchange, so one that was canceled is one that hung.
            self._breaker.failed(ticket, principal.requester)
            raise
        if answer.status < 500:
            self._breaker.succeeded(ticket)
        else:
            self._breaker.failed(ticket, principal.requester)
        return answer

    async def _ask(self, subject_token: str) -> Answer:
        proof = assertion(self._secret, self._endpoint, self._clock(), self._identifier())
        return await fetch(
            self._http,
            "POST",
            self._endpoint,
            name="token exchange",
            upstream=self._breaker.name,
            seconds=self._deadline,
            headers={"Accept": "application/json"},
            form=exchange_form(subject_token, proof),
            most=MAX_ANSWER,
        )
