"""A cache of serialized results with a limit for their total size.

Keys must be small: text from clients, and objects that refer to others, would stay in memory without being counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from ..process.memory import compact_copy

# Memory of an entry in addition to its value: the key, a tuple of three, and its dictionary entry.
ENTRY_BYTES = 400


class ByteCache:
    """Caches up to *max_bytes* and evicts the least recently used entries. A larger value is not cached."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._values: OrderedDict[Hashable, bytes] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> bytes | None:
        """Return the value, or None, and mark it as the most recently used."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: bytes) -> None:
        """Store *value* under *key*, which must not have a value yet."""
        self._values[key] = compact_copy(value)
        self.size_bytes += ENTRY_BYTES + len(value)
        while self.size_bytes > self._max_bytes:
            _, dropped = self._values.popitem(last=False)
            self.size_bytes -= ENTRY_BYTES + len(dropped)
