"""Ranking of tools by keywords, as pure functions. Words are weighted by where they occur and how rare they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from math import log

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .topics import AREA_WORDS, topic_words

WORD_PATTERN = re.compile(r"[^\W_]+", re.UNICODE)
MAX_QUERY_WORDS = 16
MAX_WORD_CHARACTERS = 40
MAX_CORRECTED_WORDS = 3
"""Maximum number of unknown words of a query to correct, which takes more than a millisecond for each."""
MAX_CACHED_CORRECTIONS = 512
STOP_WORDS = frozenset(
    "a about all an and any are as at be been but by can could day did do does exist for from goes going had has have"
    " how i if in into is it its just last latest me much my next not now of on only or our out over please per right"
    " should so some than that the their them then there these they this to tool operation us use very was way we were"
    " want what when where which who whose will with would you your".split()
)
POLITE_WORDS = frozenset("can could do how i like need please to us want we will would you".split())
"""Words before the verb of a request: "I want to stop a run" begins with its verb as "stop a run" does."""
ASKS_TO_SHOW = re.compile(r"\b(give|show|tell) (me|us)\b")
# Weights of a word in the name, in title and area, in the description, and in argument names.
NAME_WEIGHT, AREA_WEIGHT, DESCRIPTION_WEIGHT, ARGUMENT_WEIGHT = 6.0, 3.0, 1.5, 1.0
AREA_WORDS_WEIGHT = 4.5
"""Weight of a word that users choose for an area: less than one in a name, more than one in a description."""
VERB_WEIGHT = 0.5
"""Factor for verbs that tool names begin with."""
UNREQUESTED_WRITE_WEIGHT = 0.7
"""Factor for tools that write, if the query does not ask for a write."""
LEADING_VERB_WEIGHT = 1.1
"""Factor for tools whose verb a query begins with, if it is one of tools that write."""
UNREQUESTED_READ_WEIGHT = 0.9
"""Factor for tools that read, if the query begins with a verb of tools that write."""
PREFIX_WEIGHT = 0.7
"""Factor for a word that only shares its beginning with another."""
MIN_PREFIX_CHARACTERS = 4
"""Minimum length of such a beginning."""
MIN_PREFIX_SHARE = 0.5
"""Minimum share of the longer word that such a beginning is: marketplace does not come from mark."""
MIN_COVERAGE = 0.4
"""Factor for a tool that matches none of the nouns of a query; 1 for one that matches all."""
MIN_COMMON_USES = 4
"""Minimum number of tools whose names begin with a common verb."""
MIN_SIMILARITY = 0.8
"""Minimum similarity (0 to 1) at which an unknown word counts as a misspelling of a known one."""
SYNONYM_WEIGHT, TYPO_WEIGHT = 0.8, 0.6
"""Factors for a synonym, and for a word with similar spelling."""


SYNONYMS: Mapping[str, str] = {
    "get": "check display fetch look read see show view",
    "create": "add connect define divide establish generate issue make new notify onboard put rotate set split warn",
    "update": "acknowledge adjust allow apply change close disable edit enable give grant let limit mark modify move put"
    " rename reopen resolve restrict revoke rotate set share",
    "delete": "drop erase remove revoke",
    "assign": "add apply give grant move put tag",
    "cancel": "abort end halt kill revoke stop terminate withdraw",
    "export": "download save",
    "import": "upload load",
    "list": "display get history look see show view",
    "start": "execute launch run",
    "stop": "abort cancel end halt kill terminate",
    "test": "try",
    "trigger": "execute launch run start",
    "unassign": "revoke take",
}
"""Words that users choose for the verbs in tool names."""
NOUN_SYNONYMS: Mapping[str, str] = {
    "bill": "invoice",
    "buy": "purchase",
    "execution": "run",
    "key": "token",
    "limit": "quota",
    "reply": "comment",
    "row": "record",
    "rule": "policy",
    "tile": "widget",
}
"""Nouns in tool names, by words that users choose for them."""


def stem_words(text: str) -> list[str]:
    """Return the stems of the words of *text*, case-folded."""
    return [stem(word[:MAX_WORD_CHARACTERS]) for word in WORD_PATTERN.findall(text.casefold())]


def stem(word: str) -> str:
    """Return *word* without its plural ending and then its verb ending, so that share and sharing are equal."""
    if len(word) > 4 and word.endswith("ies"):
        word = f"{word[:-3]}y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    ending = next((suffix for suffix in ("ing", "ed", "e") if word.endswith(suffix)), "")
    return word[: len(word) - len(ending)] if len(word) - len(ending) >= 4 else word


VERBS_BY_SYNONYM: Mapping[str, frozenset[str]] = {
    stem(synonym): frozenset(stem(verb) for verb, synonyms in SYNONYMS.items() if synonym in synonyms.split())
    for synonym in " ".join(SYNONYMS.values()).split()
}
"""The verbs in tool names, by the synonyms that users choose for them."""
READING_VERBS = frozenset(map(stem, ("get", "list")))
NOUNS_BY_SYNONYM: Mapping[str, str] = {stem(synonym): stem(noun) for synonym, noun in NOUN_SYNONYMS.items()}


def argument_names(schema: JsonObject) -> Iterable[str]:
    """Return the argument names of an input schema as words: ``maxResults`` becomes "max Results"."""
    return (re.sub(r"([a-z])([A-Z])", r"\1 \2", name) for name in schema.get("properties", {}))


def weigh_words(tool: Tool) -> dict[str, float]:
    """Return the words of *tool*, each with the weight of its best position."""
    weighted_texts = (
        (ARGUMENT_WEIGHT, " ".join(argument_names(tool.input_schema))),
        (DESCRIPTION_WEIGHT, tool.description),
        (AREA_WORDS_WEIGHT, AREA_WORDS.get(tool.area, "")),
        (AREA_WEIGHT, f"{tool.title} {tool.area} {tool.meta.get('anthropic/searchHint', '')}"),
        (NAME_WEIGHT, topic_words(tool.name)),
        (NAME_WEIGHT, tool.name.replace("_", " ")),
    )
    weights: dict[str, float] = {}
    for weight, text in weighted_texts:
        for word in stem_words(text):
            weights[word] = max(weight, weights.get(word, 0.0))
    return weights


class ToolFinder:
    """Searches *tools*. The index is built at the first search. *excluded* are names of tools that are left out."""

    def __init__(self, tools: Sequence[Tool], excluded: frozenset[str] = frozenset()) -> None:
        self.tools, self.excluded = tuple(tools), excluded
        self._corrections: dict[str, list[str]] = {}

    @cached_property
    def _word_weights(self) -> tuple[dict[str, float], ...]:
        return tuple(map(weigh_words, self.tools))

    @cached_property
    def _rarity(self) -> dict[str, float]:
        """The weights of all known words: rarer words weigh more.

        Verbs only distinguish the tools for one kind of object from each other, so they weigh less.
        """
        counts = Counter(word for words in self._word_weights for word in words)
        rarity = {word: log(1 + len(self.tools) / count) for word, count in counts.items()}
        return {word: VERB_WEIGHT * weight if word in self._verbs else weight for word, weight in rarity.items()}

    def rank_tools(self, query: str) -> list[Tool]:
        """Return the tools that match at least one word of *query*, best first; ties keep their order."""
        spoken = WORD_PATTERN.findall(ASKS_TO_SHOW.sub("show", query.casefold()))
        text = " ".join(word for word in spoken if word not in STOP_WORDS)
        query_words = list(dict.fromkeys(stem_words(text)[:MAX_QUERY_WORDS]))
        matches = [self._match_word(word) for word in query_words]
        unknown = [(index, word) for index, word in enumerate(query_words) if not matches[index]]
        for index, word in unknown[:MAX_CORRECTED_WORDS]:
            matches[index] = {match: TYPO_WEIGHT * self._rarity[match] for match in self._correct_spelling(word)}
        # A word can be a verb or a noun: to tag a report, or a ticket with a tag.
        matches += [
            {verb: SYNONYM_WEIGHT * self._rarity.get(verb, 0.0) for verb in VERBS_BY_SYNONYM[word]}
            for word in query_words
            if word in VERBS_BY_SYNONYM
        ]
        # Many tools do the same to other objects, so verbs do not show whether a tool matches the query.
        is_noun = [bool(words) and self._common_verbs.isdisjoint(words) for words in matches[: len(query_words)]]
        is_noun += [False] * (len(matches) - len(is_noun))
        scores = [_score([_best_score(words, weights) for words in matches], is_noun) for weights in self._word_weights]
        first_word = stem(next((word for word in spoken if word not in POLITE_WORDS), "")[:MAX_WORD_CHARACTERS])
        factors = self._verb_factors(first_word, query_words, matches)
        scores = [score * factor for score, factor in zip(scores, factors, strict=True)]
        ranked = sorted(zip(scores, range(len(scores)), strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [self.tools[index] for score, index in ranked if score > 0]

    def _verb_factors(
        self, first_word: str, query_words: Sequence[str], matches: Sequence[Mapping[str, float]]
    ) -> list[float]:
        """Return a factor for each tool: whether it does what the verbs of a query ask for, mainly the first word."""
        if not self._asks_for_write(query_words, matches):
            return [UNREQUESTED_WRITE_WEIGHT if tool.writes else 1.0 for tool in self.tools]
        leading = self._writing_verbs & ({first_word} | VERBS_BY_SYNONYM.get(first_word, frozenset()))
        if not leading:
            return [1.0] * len(self.tools)
        return [
            (1.0 if tool.writes else UNREQUESTED_READ_WEIGHT)
            * (LEADING_VERB_WEIGHT if _verb_stem(tool) in leading else 1.0)
            for tool in self.tools
        ]

    def _asks_for_write(self, query_words: Sequence[str], matches: Sequence[Mapping[str, float]]) -> bool:
        """Return whether the first verb of a query is one with which names of tools that write begin."""
        for word, words in zip(query_words, matches, strict=False):
            meanings = words.keys() | VERBS_BY_SYNONYM.get(word, frozenset())
            if not READING_VERBS.isdisjoint(meanings):
                return False
            if not self._writing_verbs.isdisjoint(meanings):
                return True
        return False

    @cached_property
    def _writing_verbs(self) -> frozenset[str]:
        return frozenset(_verb_stem(tool) for tool in self.tools if tool.writes)

    @cached_property
    def _words_by_prefix(self) -> dict[str, list[str]]:
        """The known words by their first letters. Only words that share these can be prefixes of each other."""
        words_by_prefix: dict[str, list[str]] = {}
        for word in self._rarity:
            words_by_prefix.setdefault(word[:MIN_PREFIX_CHARACTERS], []).append(word)
        return words_by_prefix

    @cached_property
    def _common_verbs(self) -> frozenset[str]:
        """The verbs of many tools: some names begin with a noun, such as cost_trend."""
        counts = Counter(map(_verb_stem, self.tools))
        return frozenset(verb for verb, count in counts.items() if count >= MIN_COMMON_USES)

    @cached_property
    def _verbs(self) -> frozenset[str]:
        return frozenset(map(_verb_stem, self.tools))

    def _match_word(self, word: str) -> dict[str, float]:
        """Return the known words that *word* can mean as it is spelled, each with its weight."""
        rarity = self._rarity
        candidates = self._words_by_prefix.get(word[:MIN_PREFIX_CHARACTERS], ())
        weights = {match: PREFIX_WEIGHT * rarity[match] for match in candidates if _is_prefix(word, match)}
        if noun := NOUNS_BY_SYNONYM.get(word):
            weights[noun] = SYNONYM_WEIGHT * rarity.get(noun, 0.0)
        if word in rarity:
            weights[word] = rarity[word]
        return weights

    def _correct_spelling(self, word: str) -> list[str]:
        """Return the known words with a spelling similar to *word*."""
        if len(word) <= 3:
            return []
        corrections = self._corrections.get(word)
        if corrections is None:
            if len(self._corrections) >= MAX_CACHED_CORRECTIONS:
                del self._corrections[next(iter(self._corrections))]
            corrections = self._corrections[word] = get_close_matches(word, self._rarity, 3, MIN_SIMILARITY)
        return corrections

    def similar_names(self, name: str, limit: int = 3) -> list[str]:
        """Return tool names that are spelled like *name*, then those that share its words."""
        names = [tool.name for tool in self.tools]
        similar = get_close_matches(name[:MAX_WORD_CHARACTERS].casefold(), names, limit, 0.75)
        return list(dict.fromkeys([*similar, *(tool.name for tool in self.rank_tools(name)[:limit])]))[:limit]


def _verb_stem(tool: Tool) -> str:
    return stem(tool.name.partition("_")[0])


def _is_prefix(word: str, other: str) -> bool:
    if len(word) > len(other):
        word, other = other, word
    is_long = len(word) >= max(MIN_PREFIX_CHARACTERS, MIN_PREFIX_SHARE * len(other))
    return is_long and other.startswith(word) and word != other


def _score(word_scores: Sequence[float], is_noun: Sequence[bool]) -> float:
    """Return the score of a tool for all words of a query: the sum, reduced for each noun that does not match."""
    nouns = [score for score, counts in zip(word_scores, is_noun, strict=True) if counts]
    coverage = sum(score > 0 for score in nouns) / len(nouns) if nouns else 1.0
    return sum(word_scores) * (MIN_COVERAGE + (1 - MIN_COVERAGE) * coverage)


def _best_score(words: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return max((factor * weights[word] for word, factor in words.items() if word in weights), default=0.0)
