"""Owns the sandbox's identity provider: OAuth 2.1 for real clients, on loopback."""

from .fetching import Fetcher, FetchError, Resolver
from .interaction import VISITOR
from .provider import Identity

__all__ = ["VISITOR", "FetchError", "Fetcher", "Identity", "Resolver"]
