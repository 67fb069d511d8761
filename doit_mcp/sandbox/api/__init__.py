"""DoiT API of the sandbox: stateful, and consistent with the published API document."""

from .app import OPERATIONS, Api
from .faults import Fault, RecordedCall

__all__ = ["OPERATIONS", "Api", "RecordedCall", "Fault"]
