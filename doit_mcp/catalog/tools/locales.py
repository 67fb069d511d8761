"""Finds and caches the conventions for the language tag that a client sends (BCP 47, such as de-CH)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .locale_format import LocaleFormat

MAX_TAG_CHARACTERS = 35
TAG_PATTERN = re.compile(
    r"(?P<language>[A-Za-z]{2,3})(?:[-_](?P<script>[A-Za-z]{4}))?(?:[-_](?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:[-_][A-Za-z0-9]{1,8}){0,5}"  # variants and extensions
)
MAX_CACHED_TAGS = 256
MAX_CACHED_LOCALES = 2048
"""Maximum number of cached locales: more than CLDR has, so each is read once. One takes about 4 KB."""


@dataclass(slots=True)
class CachedTag:
    """The locale of a tag once *is_loaded*; None if the tag is invalid or unknown."""

    locale: LocaleFormat | None = None
    is_loaded: bool = False


def find_locale(tag: str) -> LocaleFormat | None:
    """Return the locale that is closest to a language *tag*; None if the tag is invalid or its language is unknown."""
    # Checked first, because the cache keeps its keys, and a client can send megabytes.
    if len(tag) > MAX_TAG_CHARACTERS:
        return None
    cached = _find_tag(tag)
    if not cached.is_loaded:
        cached.locale = _read_tag(tag)
        cached.is_loaded = True
    return cached.locale


def is_loaded(tag: str) -> bool:
    """Return whether find_locale() can skip loading, which takes milliseconds, or tens of them for the first locale."""
    return len(tag) > MAX_TAG_CHARACTERS or _find_tag(tag).is_loaded


@lru_cache(maxsize=MAX_CACHED_TAGS)
def _find_tag(tag: str) -> CachedTag:
    return CachedTag()


def _read_tag(tag: str) -> LocaleFormat | None:
    match = TAG_PATTERN.fullmatch(tag)
    if match is None:
        return None
    from .cldr import find_identifier

    language, script, region = (match[name] or "" for name in ("language", "script", "region"))
    identifier = find_identifier(language.lower(), script.title(), region.upper())
    return None if identifier is None else _read_locale(identifier)


@lru_cache(maxsize=MAX_CACHED_LOCALES)
def _read_locale(identifier: str) -> LocaleFormat:
    from .cldr import read_locale

    return read_locale(identifier)
