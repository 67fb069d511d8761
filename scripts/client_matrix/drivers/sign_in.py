"""The Python SDK's OAuth provider, for a user who approves without a browser."""

from __future__ import annotations

import importlib.util
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

REDIRECT = "http://127.0.0.1:33418/callback"
MAX_HOPS = 8
count = 0


class Storage:
    """Keeps tokens and the registration in memory."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


async def follow(url: str) -> dict[str, str]:
    """Follow redirects from *url* to the redirect URI, and return its query."""
    http_library = importlib.import_module("httpx" if importlib.util.find_spec("httpx") else "httpx2")
    async with http_library.AsyncClient(headers={"Accept": "text/html"}) as http:
        for _ in range(MAX_HOPS):
            answer = await http.get(url)
            if "Location" not in answer.headers:
                raise RuntimeError(f"{url} returned {answer.status_code}: {answer.text[:800]}")
            url = urljoin(url, answer.headers["Location"])
            if url.startswith(REDIRECT):
                return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    raise RuntimeError(f"too many redirects, at last to {url}")


def provider(url: str) -> Any:
    """Return the provider for the server at *url*, and count the sign-ins."""
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared import auth

    returned: dict[str, str] = {}

    async def redirect(address: str) -> None:
        global count
        count += 1
        returned.update(await follow(address))

    async def callback() -> Any:
        # Version 2 of the SDK also checks the issuer.
        if hasattr(auth, "AuthorizationCodeResult"):
            return auth.AuthorizationCodeResult(**returned)
        return returned["code"], returned["state"]

    metadata = auth.OAuthClientMetadata(
        client_name="Client matrix", redirect_uris=[REDIRECT], token_endpoint_auth_method="none"
    )
    return OAuthClientProvider(url, metadata, Storage(), redirect, callback)
