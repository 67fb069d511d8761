"""WWW-Authenticate challenges (RFC 6750) and protected resource metadata (RFC 9728), which lead clients to sign in.

Both are built from configuration and the path, never from request headers.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from .errors import REQUIRED_SCOPE

METADATA_PATH_PREFIX = "/.well-known/oauth-protected-resource"
SCOPES = (REQUIRED_SCOPE, "mcp:resources")
OFFLINE_ACCESS = "offline_access"
# Characters that error, error_description and scope must not contain (RFC 6750, section 3).
UNQUOTABLE_PATTERN = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
# Characters of a path that are not encoded; "%" because the path may be encoded already.
PATH_SAFE = "/%~:@!$&'()*+,;="


def resource_metadata_path(path: str) -> str:
    """Return the path of the metadata of the endpoint at *path*, or "" for the server as a whole."""
    return METADATA_PATH_PREFIX + path


def www_authenticate_value(
    resource_url: str, path: str, *, error: str, description: str, scope: str, offline_access: bool
) -> str:
    """Return the WWW-Authenticate header for the endpoint at *path*, which names the metadata of that path.

    With *offline_access*, its scope includes that one, because some clients request exactly the scope of the challenge
    and would get no refresh token.
    """
    requested = f"{scope} {OFFLINE_ACCESS}" if offline_access else scope
    metadata_url = _base_url(resource_url) + resource_metadata_path(_encode_path(path))
    return (
        f'Bearer resource_metadata="{metadata_url}", error="{_sanitize_quoted(error)}",'
        f' error_description="{_sanitize_quoted(description)}", scope="{_sanitize_quoted(requested)}"'
    )


def resource_metadata(resource_url: str, path: str, auth_server_url: str, *, offline_access: bool) -> dict[str, Any]:
    """Return the protected resource metadata of the endpoint at *path* (RFC 9728, section 2).

    Clients compare ``resource`` with the URL they were given, so it is that of *path*; the base URL for "". With
    *offline_access*, that scope is advertised, because some clients request a refresh token only then.
    """
    return {
        "resource": _base_url(resource_url) + _encode_path(path),
        "authorization_servers": [auth_server_url],
        "scopes_supported": [*SCOPES, OFFLINE_ACCESS] if offline_access else [*SCOPES],
        "bearer_methods_supported": ["header"],
        "resource_name": "DoiT Cloud Intelligence",
    }


def _base_url(resource_url: str) -> str:
    return resource_url.rstrip("/")


def _encode_path(path: str) -> str:
    return quote(path, safe=PATH_SAFE, errors="replace")


def _sanitize_quoted(text: str) -> str:
    return UNQUOTABLE_PATTERN.sub("?", text)
