"""Owns the token and revocation endpoints: which grant a request is, and what it answers (RFC 6749 3.2, RFC 7009)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from aiohttp import web

from .clients import Clients
from .codes import Codes
from .exchange import Exchange
from .metadata import TOKEN_EXCHANGE
from .models import JsonObject
from .responses import PRIVATE, OAuthError, answer, read_form, required
from .tokens import Tokens


class TokenEndpoint:
    """The two endpoints. *up* raises OAuthError while they are to fail; *served* counts requests by grant."""

    def __init__(
        self,
        clients: Clients,
        codes: Codes,
        tokens: Tokens,
        exchange: Exchange,
        *,
        up: Callable[[], None],
        served: Counter[str],
    ) -> None:
        self._clients = clients
        self._codes = codes
        self._tokens = tokens
        self._exchange = exchange
        self._up = up
        self._served = served

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Answer a token request; raises OAuthError."""
        self._up()
        form = await read_form(request)
        grant_type = required(form, "grant_type")
        authorization = request.headers.get("Authorization")
        if grant_type == "authorization_code":
            body = await self._redeem(authorization, form)
        elif grant_type == "refresh_token":
            body = await self._refresh(authorization, form)
        elif grant_type == TOKEN_EXCHANGE:
            self._served[TOKEN_EXCHANGE] += 1
            body = self._exchange.exchange(form)
        else:
            raise OAuthError("unsupported_grant_type", "This grant type is not supported.")
        return answer(body, headers=PRIVATE)

    async def _redeem(self, authorization: str | None, form: dict[str, str]) -> JsonObject:
        self._served["authorization_code"] += 1
        client = await self._clients.authenticate(authorization, form)
        code, verifier = required(form, "code"), required(form, "code_verifier")
        approval = self._codes.check(code, client, form.get("redirect_uri"), verifier)
        flow_id, body = self._tokens.begin(approval, form.get("resource"))
        self._codes.spend(code, flow_id)
        return body

    async def _refresh(self, authorization: str | None, form: dict[str, str]) -> JsonObject:
        self._served["refresh_token"] += 1
        client = await self._clients.authenticate(authorization, form)
        token = required(form, "refresh_token")
        return self._tokens.refresh(client, token, form.get("scope"), form.get("resource"))

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Answer a revocation request: 200 also for a token that nobody knows (RFC 7009 2.2)."""
        self._up()
        form = await read_form(request)
        client = await self._clients.authenticate(request.headers.get("Authorization"), form)
        self._tokens.revoke(client, required(form, "token"))
        return answer({}, headers=PRIVATE)
