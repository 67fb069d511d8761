"""Names in Redis while secrets change: what a thing is called under the current secret, and under the others.

With one secret a name is an ordinary text, and nothing here costs anything.
"""

from __future__ import annotations

from collections.abc import Sequence


class KeyName(str):
    """A name under the current secret; *others* is the same under the other secrets, in their order."""

    __slots__ = ("others",)
    others: tuple[str, ...]


def make_key_name(texts: Sequence[str]) -> str:
    """The name with these variants, that under the current secret first."""
    if len(texts) == 1:
        return texts[0]
    name = KeyName(texts[0])
    name.others = tuple(texts[1:])
    return name


def name_variants(name: str) -> tuple[str, ...]:
    """What *name* is under each secret, the current one first; of an ordinary text itself."""
    return (str(name), *name.others) if isinstance(name, KeyName) else (name,)


def join_names(separator: str, parts: Sequence[str]) -> str:
    """The parts as one name, under each secret by itself."""
    for part in parts:
        if isinstance(part, KeyName):
            break
    else:
        return separator.join(parts)
    spread = [name_variants(part) for part in parts]
    count = max(map(len, spread))
    return make_key_name([separator.join(one[number % len(one)] for one in spread) for number in range(count)])


# Before a script: each key stands there under every secret, and the one that exists is meant; the current one's where
# none does. Redis runs scripts one after the other, so no two replicas ever see different names of one thing.
CHOOSE_KEYS_SCRIPT = """
do
  local count = #KEYS / {width}
  for i = 1, count do
    local first = (i - 1) * {width} + 1
    local chosen = KEYS[first]
    for j = first, first + {width} - 1 do
      if redis.call('EXISTS', KEYS[j]) == 1 then chosen = KEYS[j] break end
    end
    KEYS[i] = chosen
  end
  for i = #KEYS, count + 1, -1 do KEYS[i] = nil end
end
"""


def eval_command(source: str, keys: Sequence[str]) -> tuple[str | int, ...]:
    """EVAL with the script *source* and its keys; arguments follow."""
    if not any(isinstance(key, KeyName) for key in keys):
        return ("EVAL", source, len(keys), *keys)
    spread = [name_variants(key) for key in keys]
    width = max(map(len, spread))
    wide = [one[number % len(one)] for one in spread for number in range(width)]
    return ("EVAL", CHOOSE_KEYS_SCRIPT.replace("{width}", str(width)) + source, len(wide), *wide)
