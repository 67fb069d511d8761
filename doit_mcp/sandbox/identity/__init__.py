"""Identity provider of the sandbox: OAuth 2.1 for real clients, on loopback."""

from .consent_flow import SIGNED_IN_USER
from .fetching import DocumentFetcher, DocumentResolver, FetchError
from .provider import IdentityProvider

__all__ = ["SIGNED_IN_USER", "FetchError", "DocumentFetcher", "IdentityProvider", "DocumentResolver"]
