"""The error for an invalid configuration."""

from __future__ import annotations


class BadSettings(Exception):
    """The configuration is invalid. *problems* holds one sentence for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
