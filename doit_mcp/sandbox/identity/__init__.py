"""Owns the sandbox's identity provider: OAuth 2.1 for real clients, on loopback."""

from .consent_flow import VISITOR
from .fetching import Fetcher, FetchError, Resolver
from .provider import Identity

__all__ = ["VISITOR", "FetchError", "Fetcher", "Identity", "Resolver"]
