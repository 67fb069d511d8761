"""Checks of an installation: what an operator can verify before users connect."""
