"""Which things a search's words fit best: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from ...protocol.jsonrpc import JsonObject

T = TypeVar("T")

WORD = re.compile(r"[^\W_]+", re.UNICODE)
MOST_WORDS = 16
MOST_TEXT = 4_000
SKIPPED = frozenset(
    "a an and all any are by for from in is it of on or the to with show find list get my our me".split()
)


def words_of(query: str) -> list[str]:
    """The words of a query that say something, without case, each once; all if none says much."""
    found = list(dict.fromkeys(WORD.findall(query.casefold())))
    return ([word for word in found if word not in SKIPPED] or found)[:MOST_WORDS]


def text_of(row: JsonObject) -> str:
    """The short values of a row as one text; what is behind its first MOST_TEXT characters is not looked at."""
    texts, length = [], 0
    for text in _texts(row, 0):
        texts.append(text[:MOST_TEXT])
        length += len(texts[-1]) + 1
        if length > MOST_TEXT:
            break
    return " ".join(texts)[:MOST_TEXT]


def _texts(value: Any, depth: int) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict) and depth < 3:
        for name, inner in value.items():
            if name not in ("url", "urlUI", "reportUrl", "detailedDescriptionMdx"):
                yield from _texts(inner, depth + 1)
    elif isinstance(value, list) and depth < 3:
        for inner in value[:20]:
            yield from _texts(inner, depth + 1)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well something fits: *points*, 0 for not at all, and the *share* of the words that it has."""

    points: float
    share: float = 1.0


def fit(words: list[str], title: str, about: str, text: str) -> Fit:
    """How well *words* fit something: its kind (the words *about* it), its *title*, its *text*. What fits by its kind
    alone does so only if nothing else was asked for. All words together count most."""
    if not words:
        return Fit(1.0)
    title, text = title[:MOST_TEXT].casefold(), text.casefold()
    kinds = about.casefold().split()
    met, points, own = 0, 0.0, False
    for word in words:
        stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
        if any(kind.startswith(stem) for kind in kinds):
            met, points = met + 1, points + 2.0
        elif stem in title or stem in text:
            met, points, own = met + 1, points + (3.0 if stem in title else 1.0), True
    if met == len(words):
        return Fit(points + 10.0)
    return Fit(points, met / len(words)) if own else Fit(0.0, 0.0)


def best(found: list[tuple[Fit, T]], most: int) -> list[T]:
    """The *most* that fit best. Where some have all words, only those with more than half of them come along."""
    whole = any(fitting.share == 1.0 for fitting, _ in found)
    kept = [one for one in found if not whole or one[0].share > 0.5]
    return [thing for _, thing in sorted(kept, key=lambda one: -one[0].points)[:most]]
