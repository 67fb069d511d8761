"""Key names in Redis while secrets are rotated: the name under the current secret, and under the others.

With a single secret a name is an ordinary string, at no additional cost.
"""

from __future__ import annotations

from collections.abc import Sequence

from .scripts import load_script


class KeyName(str):
    """A name under the current secret; *others* are the names under the other secrets, in their order."""

    __slots__ = ("others",)
    others: tuple[str, ...]


def make_key_name(texts: Sequence[str]) -> str:
    """Return a name with these variants, the one under the current secret first."""
    if len(texts) == 1:
        return texts[0]
    name = KeyName(texts[0])
    name.others = tuple(texts[1:])
    return name


def name_variants(name: str) -> tuple[str, ...]:
    """Return the variants of *name* under each secret, the current one first. A plain string is its only variant."""
    return (str(name), *name.others) if isinstance(name, KeyName) else (name,)


def join_names(separator: str, parts: Sequence[str]) -> str:
    """Join *parts* to one name, separately for each secret."""
    for part in parts:
        if isinstance(part, KeyName):
            break
    else:
        return separator.join(parts)
    variants_by_part = [name_variants(part) for part in parts]
    count = max(map(len, variants_by_part))
    return make_key_name(
        [separator.join(variants[number % len(variants)] for variants in variants_by_part) for number in range(count)]
    )


CHOOSE_KEYS_SCRIPT = load_script("choose_keys")


def eval_command(source: str, keys: Sequence[str]) -> tuple[str | int, ...]:
    """Return the EVAL command for a script and its keys, to which the caller appends the arguments."""
    if not any(isinstance(key, KeyName) for key in keys):
        return ("EVAL", source, len(keys), *keys)
    variants_by_key = [name_variants(key) for key in keys]
    width = max(map(len, variants_by_key))
    all_names = [variants[number % len(variants)] for variants in variants_by_key for number in range(width)]
    return ("EVAL", f"local width = {width}\n{CHOOSE_KEYS_SCRIPT}\n{source}", len(all_names), *all_names)
