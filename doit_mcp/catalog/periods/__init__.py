"""Periods of days: their grammar, parts and alignment."""
