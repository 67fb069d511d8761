"""Fuzzing of every parser of external bytes. See ``scripts/fuzz --help``."""
