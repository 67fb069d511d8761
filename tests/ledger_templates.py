"""Ledgers of the sandbox that are copied from templates: hundreds of tests start a sandbox on the same day, and computing
its billing lines takes longer than most of these tests."""

from __future__ import annotations

from collections import OrderedDict

from doit_mcp.sandbox.api.costs.estate_types import Estate
from doit_mcp.sandbox.api.costs.ledger import Ledger

MAX_TEMPLATES = 12  # of about 2 MB each


class CopiedLedger(Ledger):
    """A ledger that starts as a copy of the first one with the same estate, seed and day."""

    _templates: OrderedDict[tuple[Estate, int, int], bytes] = OrderedDict()

    def __init__(self, estate: Estate, *, seed: int, today: int) -> None:
        self._key = (estate, seed, today)
        super().__init__(estate, seed=seed, today=today)
        if self._key not in self._templates:
            self._templates[self._key] = self._database.serialize()
        self._templates.move_to_end(self._key)
        if len(self._templates) > MAX_TEMPLATES:
            self._templates.popitem(last=False)

    def _create_tables(self) -> None:
        if template := self._templates.get(self._key):
            self._database.deserialize(template)
            # extend() has nothing to add on this day.
            self.last = self._key[2]
        else:
            super()._create_tables()
