"""Sandbox dashboard: users, active tokens and calls, updated live."""

from .routes import Dashboard

__all__ = ["Dashboard"]
