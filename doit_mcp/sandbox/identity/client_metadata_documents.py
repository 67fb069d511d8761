"""Client ID metadata documents: which URLs can be client ids, and parsing of the documents."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from . import redirect_uris
from .fetching import DocumentResolver, FetchError
from .known_clients import find_bundled_document
from .models import AUTH_METHOD_NONE, AUTH_METHOD_PRIVATE_KEY_JWT, Client, JsonObject

MAX_REDIRECT_URIS = 50
_DOT_SEGMENT = re.compile(r"/\.{1,2}(?:/|$)")


class ClientDocumentError(Exception):
    """The document does not describe a valid client; the message is shown to users."""


def is_document_url(client_id: str) -> bool:
    """Whether a client id is a metadata document URL: https with a path, without user name, fragment or dot segments."""
    if len(client_id) > redirect_uris.MAX_URI_LENGTH or redirect_uris.find_problem(client_id) is not None:
        return False
    parts = urlsplit(client_id)
    return client_id.startswith("https://") and len(parts.path) > 1 and not _DOT_SEGMENT.search(parts.path)


def client_name(value: object, fallback: str) -> str:
    """A name safe to show on a page: printable characters only (no direction overrides), at most 80."""
    text = value if isinstance(value, str) else ""
    cleaned = " ".join("".join(item if item.isprintable() else " " for item in text).split())[:80].strip()
    return cleaned or fallback


def parse_object(body: bytes) -> JsonObject | None:
    """The JSON object in *body*, or None."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def read_client(client_id: str, body: bytes) -> Client:
    """The client described by the document at *client_id*; raises ClientDocumentError."""
    document = parse_object(body)
    if document is None:
        raise ClientDocumentError("The client's document is not a JSON object.")
    if document.get("client_id") != client_id:
        raise ClientDocumentError("The client_id in the client's document is not the URL of the document.")
    if any(member in document for member in ("client_secret", "client_secret_expires_at")):
        raise ClientDocumentError("The client's document contains a secret, although it is public.")
    host = urlsplit(client_id).hostname or client_id
    return Client(
        id=client_id,
        name=client_name(document.get("client_name"), host),
        redirect_uris=_redirect_uris(document),
        auth_methods=_auth_methods(document),
        has_document=True,
        jwks=document["jwks"] if isinstance(document.get("jwks"), dict) else None,
        jwks_uri=document["jwks_uri"] if isinstance(document.get("jwks_uri"), str) else None,
    )


def _redirect_uris(document: JsonObject) -> tuple[str, ...]:
    uris = document.get("redirect_uris")
    if not isinstance(uris, list) or not 0 < len(uris) <= MAX_REDIRECT_URIS:
        raise ClientDocumentError("The client's document has no valid list of redirect_uris.")
    for uri in uris:
        if problem := redirect_uris.find_problem(uri):
            raise ClientDocumentError(f"A redirect URI in the client's document {problem}.")
    return tuple(uris)


def _auth_methods(document: JsonObject) -> frozenset[str]:
    preferred = document.get("token_endpoint_auth_method")
    methods: set[object] = {preferred} if isinstance(preferred, str) else set()
    for member in ("token_endpoint_auth_methods", "token_endpoint_auth_methods_supported"):
        listed = document.get(member)
        methods |= {item for item in listed if isinstance(item, str)} if isinstance(listed, list) else set()
    supported = frozenset(method for method in (AUTH_METHOD_NONE, AUTH_METHOD_PRIVATE_KEY_JWT) if method in methods)
    if methods and not supported:
        raise ClientDocumentError("The client's document requires an authentication method that needs a shared secret.")
    return supported or frozenset({AUTH_METHOD_NONE})


class ClientDocuments:
    """Fetches metadata documents and key sets: bundled ones first, others with *resolver*, which can cache them."""

    def __init__(self, resolver: DocumentResolver) -> None:
        self._resolver = resolver

    async def fetch_client(self, client_id: str) -> Client:
        """The client with this URL; raises ClientDocumentError."""
        return read_client(client_id, await self._fetch(client_id))

    async def fetch_jwks(self, url: str) -> JsonObject:
        """The key set at *url*; raises ClientDocumentError."""
        if not url.startswith("https://") or redirect_uris.find_problem(url) is not None:
            raise ClientDocumentError("The client's jwks_uri is not an https URL.")
        key_set = parse_object(await self._fetch(url))
        if key_set is None:
            raise ClientDocumentError("The client's key set is not a JSON object.")
        return key_set

    async def _fetch(self, url: str) -> bytes:
        document = find_bundled_document(url)
        if document is not None:
            return document
        try:
            return await self._resolver(url)
        except FetchError as error:
            raise ClientDocumentError(f"The client's document could not be fetched: {error}.") from error
