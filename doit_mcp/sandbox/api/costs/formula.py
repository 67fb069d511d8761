"""Formulas of allocation rules: ``A AND (B OR NOT C)``, where letters are the rule's components in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..responses import bad_request

MAX_LENGTH = 500  # characters
MAX_DEPTH = 20  # nesting of parentheses and NOTs
MAX_COMPONENTS = 26
TOKEN = re.compile(r"\s*(?:(AND|OR|NOT|[A-Z])\b|([()]))")


@dataclass(frozen=True, slots=True)
class Formula:
    """*operator* is AND, OR, NOT, or the letter of a component, which has no *parts*."""

    operator: str
    parts: tuple[Formula, ...] = ()

    def evaluate(self, sets: Sequence[frozenset[int]], everything: frozenset[int]) -> frozenset[int]:
        """The subset of *everything* that the formula selects, given the set of each component."""
        if not self.parts:
            return sets[ord(self.operator) - ord("A")]
        found = [part.evaluate(sets, everything) for part in self.parts]
        if self.operator == "NOT":
            return everything - found[0]
        return found[0].intersection(*found[1:]) if self.operator == "AND" else found[0].union(*found[1:])


def parse_formula(text: str, components: int, where: str = "formula") -> Formula:
    """Parse a formula over *components* components; 400 naming *where* if it is invalid."""
    if len(text) > MAX_LENGTH or components > MAX_COMPONENTS:
        raise bad_request(f"{where}: at most {MAX_LENGTH} characters and {MAX_COMPONENTS} components", field=where)
    reader = _Parser(_tokenize(text, where), components, where)
    found = reader.parse_expression()
    if reader.tokens:
        raise reader.unexpected_token(reader.tokens[-1])
    return found


def _tokenize(text: str, where: str) -> list[str]:
    """The tokens in reverse order."""
    found = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        token = TOKEN.match(text, at)
        if token is None:
            raise bad_request(
                f"{where}: {text[at : at + 20].strip()!r} is not A, B, ..., AND, OR, NOT or a bracket", field=where
            )
        found.append(token[1] or token[2])
        at = token.end()
    return found[::-1]


@dataclass(slots=True)
class _Parser:
    tokens: list[str]
    components: int
    where: str
    depth: int = 0

    def unexpected_token(self, token: str) -> Exception:
        return bad_request(f"{self.where}: {token!r} is not expected there", field=self.where)

    def parse_expression(self) -> Formula:
        return self._parse_operands("OR", lambda: self._parse_operands("AND", self._parse_term))

    def _parse_operands(self, operator: str, read: Callable[[], Formula]) -> Formula:
        parts = [read()]
        while self.tokens and self.tokens[-1] == operator:
            self.tokens.pop()
            parts.append(read())
        return parts[0] if len(parts) == 1 else Formula(operator, tuple(parts))

    def _parse_term(self) -> Formula:
        token = self._next_token()
        if token in ("NOT", "("):
            return self._parse_nested(token)
        if len(token) == 1 and "A" <= token <= "Z":
            if ord(token) - ord("A") >= self.components:
                raise bad_request(f"{self.where}: there is no component {token}", field=self.where)
            return Formula(token)
        raise self.unexpected_token(token)

    def _parse_nested(self, token: str) -> Formula:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise bad_request(f"{self.where}: nested more than {MAX_DEPTH} levels deep", field=self.where)
        found = Formula("NOT", (self._parse_term(),)) if token == "NOT" else self.parse_expression()
        if token == "(":
            closing = self._next_token()
            if closing != ")":
                raise self.unexpected_token(closing)
        self.depth -= 1
        return found

    def _next_token(self) -> str:
        return self.tokens.pop() if self.tokens else "the end"
