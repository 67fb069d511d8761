"""The DoiT API of the sandbox: follows the published document, keeps state, invents nothing twice."""

from .app import OPERATIONS, Api
from .faults import Fault, RecordedCall

__all__ = ["OPERATIONS", "Api", "RecordedCall", "Fault"]
