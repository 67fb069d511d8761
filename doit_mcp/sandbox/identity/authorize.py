"""Owns judging an authorization request: a valid `Ask`, a page for people, or an error sent back to the client."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import redirect_uris
from .clients import Clients
from .models import SCOPES, Ask, Client
from .resource_indicators import Resources
from .responses import OAuthError, once, parse_pairs

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})


class AskError(Exception):
    """The request is refused. *location* is where the client hears of it; None: it cannot be trusted to hear."""

    def __init__(self, title: str, description: str, location: str | None = None) -> None:
        super().__init__(description)
        self.title = title
        self.description = description
        self.location = location


def granted(scope: str | None) -> tuple[str, ...]:
    """Scopes for what was asked: the known ones of them, all where nothing was asked (RFC 6749 3.3)."""
    if scope is None:
        return SCOPES
    known = tuple(one for one in SCOPES if one in scope.split(" "))
    if not known:
        raise OAuthError("invalid_scope", f"None of the scopes is known. There are: {' '.join(SCOPES)}.")
    return known


class Authorize:
    """Reads authorization requests made to *issuer*."""

    def __init__(self, issuer: str, clients: Clients, resources: Resources) -> None:
        self._issuer = issuer
        self._clients = clients
        self._resources = resources

    async def read(self, query: str) -> Ask:
        """The request in a query string; raises AskError.

        Client and redirect address come first: until both are right nothing is sent anywhere (OAuth 2.1 4.1.2.1).
        """
        try:
            pairs = parse_pairs(query)
            trusted = once([pair for pair in pairs if pair[0] in ("client_id", "redirect_uri")])
        except OAuthError as error:
            raise AskError("This request is not valid", error.description) from error
        client = await self._client(trusted.get("client_id"))
        redirect_uri = _redirect_uri(client, trusted.get("redirect_uri"))
        states = [value for name, value in pairs if name == "state" and value]
        state = states[0] if len(states) == 1 else None
        try:
            form = once(pairs)
            challenge = _challenge(form)
            scopes = granted(form.get("scope"))
            resource = self._resources.check(form.get("resource"))
            prompt = _prompt(form)
        except OAuthError as error:
            location = self.refusal(redirect_uri, state, error.error, error.description)
            raise AskError("This request is not valid", error.description, location) from error
        return Ask(client, redirect_uri, "redirect_uri" in trusted, state, challenge, scopes, resource, prompt, query)

    async def _client(self, client_id: str | None) -> Client:
        if client_id is None:
            raise AskError("Unknown application", "The request does not say which application it comes from.")
        try:
            return await self._clients.find(client_id)
        except OAuthError as error:
            raise AskError("Unknown application", error.description) from error

    def refusal(self, redirect_uri: str, state: str | None, error: str, description: str) -> str:
        """The redirect that tells the client no (RFC 6749 4.1.2.1, with the issuer of RFC 9207)."""
        return self._back(redirect_uri, state, {"error": error, "error_description": description})

    def success(self, ask: Ask, code: str) -> str:
        """The redirect that carries the code."""
        return self._back(ask.redirect_uri, ask.state, {"code": code})

    def _back(self, redirect_uri: str, state: str | None, answer: Mapping[str, str]) -> str:
        echoed = {"state": state} if state is not None else {}
        return redirect_uris.with_answer(redirect_uri, {**answer, **echoed, "iss": self._issuer})


def _redirect_uri(client: Client, asked: str | None) -> str:
    if asked is None:
        if len(client.redirect_uris) == 1:
            return client.redirect_uris[0]
        raise AskError("No way back", "The request does not say where to go afterwards (redirect_uri).")
    if not redirect_uris.registered_match(client.redirect_uris, asked):
        raise AskError(
            "The way back does not fit",
            "The address to return to (redirect_uri) is not one that this application registered.",
        )
    return asked


def _challenge(form: Mapping[str, str]) -> str:
    if form.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "The response_type has to be code.")
    if form.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "The response_mode has to be query.")
    for name in ("request", "request_uri"):
        if name in form:
            raise OAuthError(f"{name}_not_supported", f"The parameter {name} is not supported.")
    challenge = form.get("code_challenge")
    if challenge is None or form.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "PKCE is required: code_challenge with code_challenge_method S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "The code_challenge is not an S256 challenge.")
    return challenge


def _prompt(form: Mapping[str, str]) -> frozenset[str]:
    prompt = frozenset(form.get("prompt", "").split())
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError("invalid_request", "The prompt none excludes every other.")
    return prompt & _PROMPTS
