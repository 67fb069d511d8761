"""Validation of authorization requests: a valid `AuthorizationRequest`, an error page, or an error redirect."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import redirect_uris
from .clients import ClientRegistry
from .models import SCOPES, AuthorizationRequest, Client
from .resource_indicators import ResourceIndicators
from .responses import OAuthError, parse_parameters, unique_parameters

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})


DEVELOPER_ACTION = (
    "Return to your application and connect again. If this page appears again, the developer of the application must"
    " correct the request."
)
UNKNOWN_CLIENT_ACTION = (
    "Return to your application, remove this server there, and add it again, which registers the application again. If"
    " this page appears again, ask the developer of the application."
)
REDIRECT_ACTION = (
    "The developer of the application must register this address. If you changed the port or the address of the"
    " application yourself, remove this server there and add it again."
)


class AuthorizationError(Exception):
    """An invalid authorization request. *location* is the client's error redirect, or None if the client or its
    redirect URI is not verified. *action* tells the user who must do what.
    """

    def __init__(
        self, title: str, description: str, location: str | None = None, *, action: str = DEVELOPER_ACTION
    ) -> None:
        super().__init__(description)
        self.title = title
        self.description = description
        self.location = location
        self.action = action


def select_scopes(scope: str | None) -> tuple[str, ...]:
    """The requested scopes that are supported, or all if no scope is requested (RFC 6749 3.3)."""
    if scope is None:
        return SCOPES
    supported = tuple(item for item in SCOPES if item in scope.split(" "))
    if not supported:
        raise OAuthError(
            "invalid_scope", f"None of the requested scopes is supported. Supported scopes: {' '.join(SCOPES)}."
        )
    return supported


class AuthorizationReader:
    """Reads authorization requests made to *issuer*."""

    def __init__(self, issuer: str, clients: ClientRegistry, resources: ResourceIndicators) -> None:
        self._issuer = issuer
        self._clients = clients
        self._resources = resources

    async def read(self, query: str) -> AuthorizationRequest:
        """The request in a query string; raises AuthorizationError.

        Checks the client and the redirect URI first: nothing is redirected until both are valid (OAuth 2.1 4.1.2.1).
        """
        try:
            pairs = parse_parameters(query)
            redirect_parameters = unique_parameters(
                [pair for pair in pairs if pair[0] in ("client_id", "redirect_uri")]
            )
        except OAuthError as error:
            raise AuthorizationError("This request is invalid", error.description) from error
        client = await self._find_client(redirect_parameters.get("client_id"))
        redirect_uri = _check_redirect_uri(client, redirect_parameters.get("redirect_uri"))
        states = [value for name, value in pairs if name == "state" and value]
        state = states[0] if len(states) == 1 else None
        try:
            form = unique_parameters(pairs)
            challenge = _read_challenge(form)
            scopes = select_scopes(form.get("scope"))
            resource = self._resources.check(form.get("resource"))
            prompt = _read_prompt(form)
        except OAuthError as error:
            location = self.error_redirect(redirect_uri, state, error.error, error.description)
            raise AuthorizationError("This request is invalid", error.description, location) from error
        return AuthorizationRequest(
            client,
            redirect_uri,
            "redirect_uri" in redirect_parameters,
            state,
            challenge,
            scopes,
            resource,
            prompt,
            query,
        )

    async def _find_client(self, client_id: str | None) -> Client:
        if client_id is None:
            raise AuthorizationError(
                "Unknown application",
                "The request does not identify an application.",
                action=UNKNOWN_CLIENT_ACTION,
            )
        try:
            return await self._clients.find(client_id)
        except OAuthError as error:
            raise AuthorizationError("Unknown application", error.description, action=UNKNOWN_CLIENT_ACTION) from error

    def error_redirect(self, redirect_uri: str, state: str | None, error: str, description: str) -> str:
        """The error redirect to the client (RFC 6749 4.1.2.1, with the issuer of RFC 9207)."""
        return self._redirect(redirect_uri, state, {"error": error, "error_description": description})

    def success_redirect(self, authorization: AuthorizationRequest, code: str) -> str:
        """The redirect that carries the code."""
        return self._redirect(authorization.redirect_uri, authorization.state, {"code": code})

    def _redirect(self, redirect_uri: str, state: str | None, parameters: Mapping[str, str]) -> str:
        state_parameter = {"state": state} if state is not None else {}
        return redirect_uris.add_parameters(redirect_uri, {**parameters, **state_parameter, "iss": self._issuer})


def _check_redirect_uri(client: Client, requested: str | None) -> str:
    if requested is None:
        if len(client.redirect_uris) == 1:
            return client.redirect_uris[0]
        raise AuthorizationError(
            "Missing redirect address", "The request does not say where to return to (redirect_uri)."
        )
    if not redirect_uris.is_registered(client.redirect_uris, requested):
        raise AuthorizationError(
            "Unknown redirect address",
            f"{client.name} did not register the address to return to (redirect_uri).",
            action=REDIRECT_ACTION,
        )
    return requested


def _read_challenge(form: Mapping[str, str]) -> str:
    if form.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "The response_type must be code.")
    if form.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "The response_mode must be query.")
    for name in ("request", "request_uri"):
        if name in form:
            raise OAuthError(f"{name}_not_supported", f"The parameter {name} is not supported.")
    challenge = form.get("code_challenge")
    if challenge is None or form.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "PKCE is required: code_challenge with code_challenge_method S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "The code_challenge is not a valid S256 challenge.")
    return challenge


def _read_prompt(form: Mapping[str, str]) -> frozenset[str]:
    prompt = frozenset(form.get("prompt", "").split())
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError("invalid_request", "The prompt value none cannot be combined with others.")
    return prompt & _PROMPTS
