"""OAuth token and revocation endpoints: grants, client authentication, responses (RFC 6749 3.2, RFC 7009)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from aiohttp import web

from .clients import ClientRegistry
from .codes import AuthorizationCodes
from .exchange import TokenExchange
from .metadata import TOKEN_EXCHANGE_GRANT
from .models import JsonObject
from .responses import NO_STORE_HEADERS, OAuthError, json_response, read_form, required_parameter
from .tokens import TokenIssuer


class TokenEndpoint:
    """Both endpoints. *check_available* raises OAuthError to make them fail; *request_counts* counts by grant type."""

    def __init__(
        self,
        clients: ClientRegistry,
        codes: AuthorizationCodes,
        tokens: TokenIssuer,
        exchange: TokenExchange,
        *,
        check_available: Callable[[], None],
        request_counts: Counter[str],
    ) -> None:
        self._clients = clients
        self._codes = codes
        self._tokens = tokens
        self._exchange = exchange
        self._check_available = check_available
        self._request_counts = request_counts

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Handle a token request; raises OAuthError."""
        self._check_available()
        form = await read_form(request)
        grant_type = required_parameter(form, "grant_type")
        authorization = request.headers.get("Authorization")
        if grant_type == "authorization_code":
            body = await self._redeem(authorization, form)
        elif grant_type == "refresh_token":
            body = await self._refresh(authorization, form)
        elif grant_type == TOKEN_EXCHANGE_GRANT:
            self._request_counts[TOKEN_EXCHANGE_GRANT] += 1
            body = self._exchange.exchange(form)
        else:
            raise OAuthError("unsupported_grant_type", "This grant type is not supported.")
        return json_response(body, headers=NO_STORE_HEADERS)

    async def _redeem(self, authorization: str | None, form: dict[str, str]) -> JsonObject:
        self._request_counts["authorization_code"] += 1
        client = await self._clients.authenticate(authorization, form)
        code, verifier = required_parameter(form, "code"), required_parameter(form, "code_verifier")
        approval = self._codes.check(code, client, form.get("redirect_uri"), verifier)
        flow_id, body = self._tokens.start_flow(approval, form.get("resource"))
        self._codes.mark_used(code, flow_id)
        return body

    async def _refresh(self, authorization: str | None, form: dict[str, str]) -> JsonObject:
        self._request_counts["refresh_token"] += 1
        client = await self._clients.authenticate(authorization, form)
        token = required_parameter(form, "refresh_token")
        return self._tokens.refresh(client, token, form.get("scope"), form.get("resource"))

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Handle a revocation request: 200 even for an unknown token (RFC 7009 2.2)."""
        self._check_available()
        form = await read_form(request)
        client = await self._clients.authenticate(request.headers.get("Authorization"), form)
        self._tokens.revoke(client, required_parameter(form, "token"))
        return json_response({}, headers=NO_STORE_HEADERS)
