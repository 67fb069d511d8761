"""Owns what is known of the tokens that are out: learnt from the answers that gave them, kept as fingerprints."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from ..identity import Identity
from ..identity.tokens import REFRESH_LIFE
from ..identity.ttl_store import digest
from .calls import clean

Kind = Literal["access", "refresh", "exchanged"]
JsonObject = dict[str, Any]

LIMIT = 100
FINGERPRINT = 8  # characters of the hash; enough to tell tokens apart, of no use to anybody else


def fingerprint(token: str) -> str:
    """The short name of a token."""
    return digest(token)[:FINGERPRINT]


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it may be shown; *expires* is in epoch seconds."""

    fingerprint: str
    kind: Kind
    user: str
    customer: str
    client: str
    scope: str
    expires: float


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Token
    flow: str
    good: Callable[[], bool]


class TokenBook:
    """The latest tokens that *identity* gave away over HTTP, and the names of its clients."""

    def __init__(self, identity: Identity, clock: Callable[[], float], limit: int = LIMIT) -> None:
        self._identity = identity
        self._clock = clock
        self._limit = limit
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._names: OrderedDict[str, str] = OrderedDict()

    @property
    def clients(self) -> OrderedDict[str, str]:
        """Names of clients by id, as far as they registered while somebody could have watched."""
        return self._names

    def registered(self, answer: JsonObject) -> str:
        """Note the client that this answer registered; its name."""
        name = clean(str(answer.get("client_name") or "an application without a name"))
        self._names[str(answer.get("client_id"))] = name
        while len(self._names) > self._limit:
            self._names.popitem(last=False)
        return name

    def given(self, answer: JsonObject) -> tuple[Token | None, str]:
        """Note the tokens of a token answer: the one to call with (None: nothing ours), and how it came about."""
        token = answer.get("access_token")
        if not isinstance(token, str):
            return None, ""
        if "issued_token_type" in answer:
            return self._exchanged(token, float(answer.get("expires_in", 0))), "token exchange"
        claims = self._identity.signing.read(token)
        return (None, "") if claims is None else self._signed_in(token, claims, answer.get("refresh_token"))

    def _exchanged(self, token: str, life: float) -> Token | None:
        grant = self._identity.lookup(token)
        if grant is None:
            return None
        ends = self._clock() + life
        shown = Token(fingerprint(token), "exchanged", grant.user.email, grant.customer, "MCP server", "", ends)
        # The provider alone knows when a token ends early, and it has to be asked by the token: kept, never shown.
        alive = partial(self._identity.lookup, token)
        self._keep(digest(token), _Kept(shown, "", lambda: alive() is not None))
        return shown

    def _signed_in(self, token: str, claims: JsonObject, refresh: object) -> tuple[Token, str]:
        flow = str(claims.get("flow_id", ""))
        again = any(kept.flow == flow for kept in self._kept.values())
        shown = self._token(token, "access", claims, float(claims.get("exp", 0)))
        self._keep(digest(token), _Kept(shown, flow, lambda: not self._identity.revoked(claims)))
        if isinstance(refresh, str):
            self._refreshable(refresh, flow, claims)
        return shown, "refreshed" if again else "signed in"

    def _refreshable(self, token: str, flow: str, claims: JsonObject) -> None:
        former = [key for key, kept in self._kept.items() if kept.flow == flow and kept.token.kind == "refresh"]
        for key in former:
            del self._kept[key]
        shown = self._token(token, "refresh", claims, self._clock() + REFRESH_LIFE)
        # It outlives the access token beside it, but not the end of the flow.
        named = {"flow_id": flow}
        self._keep(digest(token), _Kept(shown, flow, lambda: not self._identity.revoked(named)))

    def _token(self, token: str, kind: Kind, claims: JsonObject, expires: float) -> Token:
        client = str(claims.get("cid", ""))
        return Token(
            fingerprint(token),
            kind,
            str(claims.get("sub", "")),
            str(claims.get("customer_context", "")),
            self._names.get(client) or (clean(client) if ":" in client else client[:FINGERPRINT] + "\u2026"),
            str(claims.get("scope", "")),
            expires,
        )

    def _keep(self, key: str, kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def out(self) -> list[JsonObject]:
        """The tokens that are good for something now, newest first."""
        now = self._clock()
        for key in [key for key, kept in self._kept.items() if kept.token.expires <= now or not kept.good()]:
            del self._kept[key]
        return [asdict(kept.token) for kept in reversed(self._kept.values())]
