"""Shows the sandbox's world to people while their client uses it: who lives there, tokens that are out, calls."""

from .routes import Dashboard

__all__ = ["Dashboard"]
