"""Redirect URIs: validation, matching, and adding response parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlencode, urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_URI_LENGTH = 2048

# Schemes that browsers execute, open as files or use for transport; never those of an application.
_FORBIDDEN_SCHEMES = frozenset(
    "javascript data vbscript file blob about ftp ftps ws wss http https mailto tel view-source filesystem"
    " chrome chrome-extension moz-extension jar intent content ms-settings search-ms ms-msdt".split()
)
_URI_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]+")


def _split_uri(uri: str) -> SplitResult | None:
    """The parts of a URI without user name and fragment, made of URI characters only; else None."""
    # Browsers and servers parse characters outside the URI syntax differently.
    if len(uri) > MAX_URI_LENGTH or not _URI_CHARACTERS.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if "@" in parts.netloc or "#" in uri or port == 0:
        return None
    return parts


def find_problem(uri: object) -> str | None:
    """Why *uri* is not a valid redirect URI, or None. Valid: https, http on loopback, or an application's own scheme.

    Sources: RFC 8252 sections 7 and 8, OAuth 2.1 section 2.3.
    """
    parts = _split_uri(uri) if isinstance(uri, str) else None
    if parts is None:
        return "is not an absolute URI without user name and fragment"
    if parts.scheme == "https":
        return None if parts.hostname else "has no host"
    if parts.scheme == "http":
        return None if parts.hostname in LOOPBACK_HOSTS else "uses http on a host other than this computer"
    if parts.scheme in _FORBIDDEN_SCHEMES or not parts.scheme:
        return "uses a scheme that does not belong to an application"
    return None if parts.netloc or parts.path.startswith("/") else "has neither host nor path"


def is_loopback(uri: str) -> bool:
    """Whether the URI is http on the user's own computer."""
    parts = _split_uri(uri)
    return parts is not None and parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS


def matches_registered(registered: str, requested: str) -> bool:
    """Whether *requested* equals the *registered* URI; only the port of a loopback URI may differ (RFC 8252 7.3)."""
    if registered == requested:
        return True
    if not (is_loopback(registered) and is_loopback(requested)):
        return False
    registered_parts, requested_parts = urlsplit(registered), urlsplit(requested)
    return (registered_parts.hostname, registered_parts.path or "/", registered_parts.query) == (
        requested_parts.hostname,
        requested_parts.path or "/",
        requested_parts.query,
    )


def is_registered(registered: Iterable[str], requested: str) -> bool:
    """Whether *requested* is valid and matches one of the *registered* URIs."""
    return find_problem(requested) is None and any(matches_registered(item, requested) for item in registered)


def add_parameters(uri: str, parameters: Mapping[str, str]) -> str:
    """The redirect URI with *parameters* added to its query (RFC 6749 4.1.2)."""
    query = "&".join(filter(None, (urlsplit(uri).query, urlencode(parameters))))
    # Not urlunsplit: it drops an empty authority ("app:///done" would become "app:/done").
    return f"{uri.split('?', 1)[0]}?{query}"


def form_action_sources(uri: str) -> str:
    """The ``form-action`` sources that let Chromium follow the redirect after the consent form.

    Chromium applies the directive to the whole redirect chain after a form, and callbacks often redirect to another
    site, so the sources name the kinds of redirect URIs, not one host.
    """
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return "'self' https:"
    if parts.scheme == "http":
        # A host source cannot be an IPv6 address.
        loopback_sources = "http:" if parts.hostname == "::1" else "http://127.0.0.1:* http://localhost:*"
        return f"'self' https: {loopback_sources}"
    return f"'self' https: {parts.scheme}:"
