"""ByteCache: serialized answers by what they were made from, bounded by the bytes of all of them together.

Keys must be small: texts of clients and objects that hold others would stay in memory without being counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from ..process.memory import compact_copy

# What an entry takes besides its value: the key, a tuple of three, and its place in the dictionary.
ENTRY_BYTES = 400


class ByteCache:
    """At most *max_bytes* of entries; the least recently used go first. A larger value is not kept at all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._values: OrderedDict[Hashable, bytes] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> bytes | None:
        """The value, which is now the most recently used one."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: bytes) -> None:
        """Keep *value* under a *key* that has none."""
        self._values[key] = compact_copy(value)
        self.size_bytes += ENTRY_BYTES + len(value)
        while self.size_bytes > self._max_bytes:
            _, dropped = self._values.popitem(last=False)
            self.size_bytes -= ENTRY_BYTES + len(dropped)
