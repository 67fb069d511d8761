"""Tables of the generated reStructuredText pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from textwrap import indent


def csv_table(headings: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> str:
    """A table with *headings*; *widths* are those of the columns, in percent."""
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([headings, *rows])
    lines = indent(buffer.getvalue(), "   ")
    return f".. csv-table::\n   :header-rows: 1\n   :widths: {' '.join(map(str, widths))}\n\n{lines}"
