"""HTML pages of the identity provider: templates and security headers."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import unquote_plus, urlsplit

from aiohttp import web

from ..accounts import CUSTOMERS, MAX_EXTRA_CUSTOMERS, USERS, AccountDirectory, User, permission_summary
from . import redirect_uris
from .known_clients import KNOWN_HOSTS
from .models import AuthorizationRequest

SIGN_IN_PATH = "/sign-in/user"
CONSENT_PATH = "/sign-in/consent"
SIGN_OUT_PATH = "/sign-in/out"

_SCOPE_DESCRIPTIONS = {
    "mcp:tools": "View and change cloud costs, budgets, reports, anomalies and tickets, within your own permissions",
    "mcp:resources": "Read reports and reference data that DoiT offers as documents",
    "offline_access": "Stay connected when you are not using the application, until you revoke access",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A page with only a title and a message."""

    title: str
    text: str


@cache
def _read_template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")


def _render_template(template: str, /, **values: str) -> str:
    """A filled template; values are inserted as HTML, so callers escape text."""
    return Template(_read_template(template)).substitute(values)


def _page(title: str, body: str, *, status: int, form_action: str) -> web.Response:
    style = _read_template("style.css")
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    html = _render_template("page.html", title=escape(title), style=style, body=body)
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; img-src data:; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {form_action}"
    )
    headers = {
        "Content-Security-Policy": policy,
        # The page may be a popup of the client's page, which needs to see it close.
        "Cross-Origin-Opener-Policy": "unsafe-none",
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return web.Response(text=html, status=status, content_type="text/html", charset="utf-8", headers=headers)


def without_prompt(query: str) -> str:
    """The request without a forced sign-in, which would repeat forever after signing in."""
    # Not decoded and encoded again: some requests would become too long for a request line.
    return "&".join(pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) != "prompt")


def notice_page(content: Notice, *, status: int) -> web.Response:
    """A page with a title and a message."""
    body = _render_template("notice.html", title=escape(content.title), text=escape(content.text))
    return _page(content.title, body, status=status, form_action="'none'")


def sign_in_page(
    authorization: AuthorizationRequest, transaction: str, *, email: str = "", failed: bool = False
) -> web.Response:
    """The sign-in page: built-in users by a click, all users by password. *failed*: the last attempt was wrong."""
    alert = '<p class="alert" role="alert">The email address or password is incorrect.</p>'
    body = _render_template(
        "sign_in.html",
        client=escape(authorization.client.name),
        action=SIGN_IN_PATH,
        transaction=escape(transaction),
        users="\n".join(_user_button(user) for user in USERS),
        alert=alert if failed else "",
        email=escape(email),
    )
    return _page("Sign in", body, status=403 if failed else 200, form_action="'self'")


def _user_button(user: User) -> str:
    return _render_template(
        "user.html",
        email=escape(user.email),
        initial=escape(user.name[:1]),
        name=escape(user.name),
        detail=escape(permission_summary(user)),
    )


def consent_page(authorization: AuthorizationRequest, user: User, transaction: str) -> web.Response:
    """The consent page: the client, the user, the scopes and the redirect destination."""
    body = _render_template(
        "consent.html",
        client=escape(authorization.client.name),
        origin=escape(_client_origin(authorization)),
        name=escape(user.name),
        email=escape(user.email),
        initial=escape(user.name[:1]),
        customer=_customer_choice(user),
        scopes="\n".join(f"<li>{escape(_SCOPE_DESCRIPTIONS[scope])}</li>" for scope in authorization.scopes),
        destination=escape(_destination(authorization.redirect_uri)),
        warning=_redirect_warning(authorization),
        action=CONSENT_PATH,
        sign_out=SIGN_OUT_PATH,
        transaction=escape(transaction),
    )
    return _page(
        "Allow access", body, status=200, form_action=redirect_uris.form_action_sources(authorization.redirect_uri)
    )


def refused_page(authorization: AuthorizationRequest, user: User, transaction: str, location: str) -> web.Response:
    """The page for a user who may not connect applications: who can help, and the ways on.

    *location* is the error redirect to the client.
    """
    body = _render_template(
        "refused.html",
        client=escape(authorization.client.name),
        email=escape(user.email),
        customer=escape(_customer_name(user.customer)),
        sign_out=SIGN_OUT_PATH,
        transaction=escape(transaction),
        location=escape(location),
    )
    return _page("You cannot allow access", body, status=403, form_action="'self'")


def _customer_name(identifier: str) -> str:
    # Whether the customer exists was checked at sign-in.
    customer = AccountDirectory(MAX_EXTRA_CUSTOMERS).customer_by_id(identifier)
    return customer.name if customer is not None else identifier


def _customer_choice(user: User) -> str:
    if not user.employee:
        return f"<p>{escape(_customer_name(user.customer))}</p>"
    options = [(customer.id, customer.name) for customer in CUSTOMERS]
    options_html = "".join(
        _option(identifier, text, selected=identifier == user.customer)
        for identifier, text in [*options, ("", "No customer yet")]
    )
    return f'<select aria-labelledby="for" name="customer" form="decision">{options_html}</select>'


def _option(identifier: str, text: str, *, selected: bool) -> str:
    return f'<option value="{escape(identifier)}"{" selected" if selected else ""}>{escape(text)}</option>'


def _client_origin(authorization: AuthorizationRequest) -> str:
    if authorization.client.has_document:
        return f"Published by {urlsplit(authorization.client.id).hostname}."
    return "The application chose this name itself; it is not verified."


def _destination(uri: str) -> str:
    parts = urlsplit(uri)
    if redirect_uris.is_loopback(uri):
        return f"this computer ({parts.netloc})"
    return parts.netloc if parts.scheme == "https" else f"the application for {parts.scheme}: links on this device"


def _redirect_warning(authorization: AuthorizationRequest) -> str:
    uri = authorization.redirect_uri
    host = urlsplit(uri).hostname
    is_verified = authorization.client.has_document and host == urlsplit(authorization.client.id).hostname
    if not uri.startswith("https:"):
        text = (
            "Any program on your device can pretend to be this application."
            " Allow access only if you just started this sign-in yourself."
        )
        if authorization.client.has_document and all(
            redirect_uris.is_loopback(item) for item in authorization.client.redirect_uris
        ):
            text += f" The name matches an application of {urlsplit(authorization.client.id).hostname}, but this does not prove it."
    elif is_verified or host in KNOWN_HOSTS:
        return ""
    else:
        text = f"DoiT does not know {host}. Allow access only if you trust its operator."
    return f'<p class="warning" role="note">{escape(text)}</p>'
