"""HTML pages of the identity provider: templates and security headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template
from urllib.parse import unquote_plus, urlsplit

from aiohttp import web

from ..accounts import (
    CUSTOMERS,
    MAX_EXTRA_CUSTOMERS,
    READ_PERMISSIONS,
    USERS,
    WRITE_PERMISSIONS,
    AccountDirectory,
    User,
    permission_summary,
)
from ..html_templates import csp_source, read_template, render_head
from . import redirect_uris
from .known_clients import KNOWN_HOSTS
from .models import AuthorizationRequest

SIGN_IN_PATH = "/sign-in/user"
CONSENT_PATH = "/sign-in/consent"
SIGN_OUT_PATH = "/sign-in/out"

_SCOPE_DESCRIPTIONS = {
    "mcp:resources": "Read reports and reference data that DoiT offers as documents",
    "offline_access": "Stay connected when you are not using the application, until you revoke access",
}


_OBJECTS = ("costs", "budgets", "reports", "alerts", "anomalies", "invoices", "contracts", "tickets", "users")


@dataclass(frozen=True, slots=True)
class Notice:
    """A page that says what went wrong, and in *action* who must do what."""

    title: str
    text: str
    action: str


def _render_template(template: str, /, **values: str) -> str:
    """A filled template; values are inserted as HTML, so callers escape text."""
    return Template(read_template(__package__ or "", template)).substitute(values)


def _page(title: str, body: str, *, status: int, form_action: str) -> web.Response:
    style = read_template(__package__ or "", "style.css")
    html = _render_template("page.html", head=render_head(title, style), body=body)
    policy = (
        f"default-src 'none'; style-src {csp_source(style)}; img-src data:; base-uri 'none'; "
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


def notice_page(content: Notice, *, status: int, home: str, reference: str) -> web.Response:
    """A page with *content*, a link to *home*, and the *reference* under which the error is in the log."""
    body = _render_template(
        "notice.html",
        title=escape(content.title),
        text=escape(content.text),
        action=escape(content.action),
        home=escape(home),
        reference=escape(reference),
    )
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
        scopes="\n".join(f"<li>{escape(text)}</li>" for text in _list_abilities(authorization.scopes, user)),
        limits=_limits_paragraph(user),
        destination=escape(_describe_destination(authorization.redirect_uri)),
        warning=_redirect_warning(authorization),
        action=CONSENT_PATH,
        sign_out=SIGN_OUT_PATH,
        transaction=escape(transaction),
    )
    return _page(
        "Allow access", body, status=200, form_action=redirect_uris.form_action_sources(authorization.redirect_uri)
    )


def refused_page(
    authorization: AuthorizationRequest, user: User, transaction: str, location: str, reference: str
) -> web.Response:
    """The page for a user who may not connect applications: who can help, and the ways on.

    *location* is the error redirect to the client, *reference* that under which the refusal is in the log.
    """
    body = _render_template(
        "refused.html",
        client=escape(authorization.client.name),
        email=escape(user.email),
        customer=escape(_customer_name(user.customer)),
        sign_out=SIGN_OUT_PATH,
        transaction=escape(transaction),
        location=escape(location),
        reference=escape(reference),
    )
    return _page("You cannot allow access", body, status=403, form_action="'self'")


def _list_abilities(scopes: Sequence[str], user: User) -> list[str]:
    """What the application will be able to do for *user* with *scopes*."""
    texts: list[str] = []
    for scope in scopes:
        if scope != "mcp:tools":
            texts.append(_SCOPE_DESCRIPTIONS[scope])
            continue
        texts.append(f"View {_join_words(_name_objects(user, 'read'))}")
        if changed := _name_objects(user, "write"):
            texts.append(f"Change {_join_words(changed)}")
    return texts


def _limits_paragraph(user: User) -> str:
    """A paragraph about what the application will not be able to do, as HTML, or "" if there is nothing."""
    hidden = [name for name in _OBJECTS if f"{name}.read" in READ_PERMISSIONS - user.permissions]
    limits = [f"to view {_join_words(hidden, 'or')}"] if hidden else []
    if not user.permissions & WRITE_PERMISSIONS:
        limits.append("to change anything")
    return f'<p class="fine">Your role does not allow it {escape(", or ".join(limits))}.</p>' if limits else ""


def _name_objects(user: User, access: str) -> list[str]:
    # Reports have no permission of their own for reading: they show costs.
    needed = {name: f"{name}.{access}" for name in _OBJECTS} | ({"reports": "costs.read"} if access == "read" else {})
    return [name for name, permission in needed.items() if permission in user.permissions]


def _join_words(words: Sequence[str], conjunction: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def _customer_name(identifier: str) -> str:
    # Whether the customer exists was checked at sign-in.
    customer = AccountDirectory(MAX_EXTRA_CUSTOMERS).customer_by_id(identifier)
    return customer.name if customer is not None else identifier


def _customer_choice(user: User) -> str:
    if not user.employee:
        return f"<p>{escape(_customer_name(user.customer))}</p>"
    options = [(customer.id, customer.name) for customer in CUSTOMERS]
    options_html = "".join(
        _render_option(identifier, text, selected=identifier == user.customer)
        for identifier, text in [*options, ("", "No customer yet")]
    )
    return f'<select aria-labelledby="for" name="customer" form="decision">{options_html}</select>'


def _render_option(identifier: str, text: str, *, selected: bool) -> str:
    return f'<option value="{escape(identifier)}"{" selected" if selected else ""}>{escape(text)}</option>'


def _client_origin(authorization: AuthorizationRequest) -> str:
    if authorization.client.has_document:
        return f"Published by {urlsplit(authorization.client.id).hostname}."
    return "The application chose this name itself; it is not verified."


def _describe_destination(uri: str) -> str:
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
