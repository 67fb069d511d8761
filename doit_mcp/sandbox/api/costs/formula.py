"""Formulas of allocation rules: ``A AND (B OR NOT C)``, where A is the rule's first component, B the second one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..responses import bad

LENGTH = 500  # characters
NESTED = 20  # brackets and NOTs within each other
COMPONENTS = 26
TOKEN = re.compile(r"\s*(?:(AND|OR|NOT|[A-Z])\b|([()]))")


@dataclass(frozen=True, slots=True)
class Formula:
    """*operator* is AND, OR, NOT, or a component's letter, which has no *parts*."""

    operator: str
    parts: tuple[Formula, ...] = ()

    def of(self, sets: Sequence[frozenset[int]], everything: frozenset[int]) -> frozenset[int]:
        """What is left of *everything*, given the components' own sets."""
        if not self.parts:
            return sets[ord(self.operator) - ord("A")]
        found = [part.of(sets, everything) for part in self.parts]
        if self.operator == "NOT":
            return everything - found[0]
        return found[0].intersection(*found[1:]) if self.operator == "AND" else found[0].union(*found[1:])


def parsed(text: str, components: int, where: str = "formula") -> Formula:
    """The formula over so many components; 400 naming *where* for anything else."""
    if len(text) > LENGTH or components > COMPONENTS:
        raise bad(f"{where}: at most {LENGTH} characters and {COMPONENTS} components", field=where)
    reader = _Reader(_tokens(text, where), components, where)
    found = reader.alternatives()
    if reader.tokens:
        raise reader.wrong(reader.tokens[-1])
    return found


def _tokens(text: str, where: str) -> list[str]:
    """The tokens, the first of them last."""
    found = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        token = TOKEN.match(text, at)
        if token is None:
            raise bad(
                f"{where}: {text[at : at + 20].strip()!r} is not A, B, ..., AND, OR, NOT or a bracket", field=where
            )
        found.append(token[1] or token[2])
        at = token.end()
    return found[::-1]


@dataclass(slots=True)
class _Reader:
    tokens: list[str]
    components: int
    where: str
    depth: int = 0

    def wrong(self, token: str) -> Exception:
        return bad(f"{self.where}: {token!r} is not expected there", field=self.where)

    def alternatives(self) -> Formula:
        return self._joined("OR", lambda: self._joined("AND", self._term))

    def _joined(self, operator: str, read: Callable[[], Formula]) -> Formula:
        parts = [read()]
        while self.tokens and self.tokens[-1] == operator:
            self.tokens.pop()
            parts.append(read())
        return parts[0] if len(parts) == 1 else Formula(operator, tuple(parts))

    def _term(self) -> Formula:
        token = self._next()
        if token in ("NOT", "("):
            return self._nested(token)
        if len(token) == 1 and "A" <= token <= "Z":
            if ord(token) - ord("A") >= self.components:
                raise bad(f"{self.where}: there is no component {token}", field=self.where)
            return Formula(token)
        raise self.wrong(token)

    def _nested(self, token: str) -> Formula:
        self.depth += 1
        if self.depth > NESTED:
            raise bad(f"{self.where}: nested more than {NESTED} levels deep", field=self.where)
        found = Formula("NOT", (self._term(),)) if token == "NOT" else self.alternatives()
        if token == "(":
            closing = self._next()
            if closing != ")":
                raise self.wrong(closing)
        self.depth -= 1
        return found

    def _next(self) -> str:
        return self.tokens.pop() if self.tokens else "the end"
