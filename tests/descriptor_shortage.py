"""A process that has run out of file descriptors."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Make every attempt to open a file or socket fail with EMFILE. Open descriptors keep working."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The system assigns the lowest free number.
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
