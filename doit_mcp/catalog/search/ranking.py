"""Ranking of search results by the words of a query, as pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from ...protocol.jsonrpc import JsonObject
from ..discovery.ranking import WORD_PATTERN

T = TypeVar("T")

MAX_WORDS = 16
MAX_TEXT_CHARACTERS = 4_000
STOP_WORDS = frozenset(
    "a an and all any are by for from in is it of on or the to with show find list get my our me".split()
)


def query_words(query: str) -> list[str]:
    """Return the distinct words of a query, case-folded and without stop words; all of them if nothing else is left."""
    words = list(dict.fromkeys(WORD_PATTERN.findall(query.casefold())))
    return ([word for word in words if word not in STOP_WORDS] or words)[:MAX_WORDS]


def row_text(row: JsonObject) -> str:
    """Return the short values of a row as one text; anything after the first MAX_TEXT_CHARACTERS is ignored."""
    texts, length = [], 0
    for text in _iter_values(row, 0):
        texts.append(text[:MAX_TEXT_CHARACTERS])
        length += len(texts[-1]) + 1
        if length > MAX_TEXT_CHARACTERS:
            break
    return " ".join(texts)[:MAX_TEXT_CHARACTERS]


def _iter_values(value: Any, depth: int) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict) and depth < 3:
        for name, inner in value.items():
            if name not in ("url", "urlUI", "reportUrl", "detailedDescriptionMdx"):
                yield from _iter_values(inner, depth + 1)
    elif isinstance(value, list) and depth < 3:
        for inner in value[:20]:
            yield from _iter_values(inner, depth + 1)


class Score(NamedTuple):
    """How well an object matches: *points* (0 for no match), and *coverage*, the share (0 to 1) of words that match."""

    points: float
    coverage: float = 1.0


def score(words: list[str], title: str, kind_words: str, text: str) -> Score:
    """Return how well *words* match an object by its kind (*kind_words*), *title* and *text*.

    A match by kind alone counts only if the query names nothing else. Matching all words counts most.
    """
    if not words:
        return Score(1.0)
    title, text = title[:MAX_TEXT_CHARACTERS].casefold(), text.casefold()
    kinds = kind_words.casefold().split()
    matched, points, matches_content = 0, 0.0, False
    for word in words:
        stem = _stem(word)
        if any(kind.startswith(stem) for kind in kinds):
            matched, points = matched + 1, points + 2.0
        elif stem in title or stem in text:
            matched, points, matches_content = matched + 1, points + (3.0 if stem in title else 1.0), True
    if matched == len(words):
        return Score(points + 10.0)
    return Score(points, matched / len(words)) if matches_content else Score(0.0, 0.0)


def _stem(word: str) -> str:
    """Return the part of *word* that its other forms contain: anomal for anomalies, month for monthly, tag for tags."""
    for ending, min_characters in (("ies", 5), ("ly", 6), ("s", 4)):
        if word.endswith(ending) and len(word) >= min_characters:
            return word.removesuffix(ending)
    return word


def top_matches(scored: list[tuple[Score, T]], limit: int) -> list[T]:
    """Return the *limit* best matches.

    If some match all words, the others are included only with more than half of them.
    """
    any_complete = any(score.coverage == 1.0 for score, _ in scored)
    candidates = [(score, item) for score, item in scored if not any_complete or score.coverage > 0.5]
    return [item for _, item in sorted(candidates, key=lambda pair: -pair[0].points)[:limit]]
