"""Fuzzing: every parser of bytes from outside, run on hostile input. ``scripts/fuzz --help`` says how."""
