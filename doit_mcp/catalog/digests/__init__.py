"""Digests: what a team must know about its cloud costs at regular times."""
