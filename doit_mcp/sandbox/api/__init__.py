"""The DoiT API of the sandbox: follows the published document, keeps state, invents nothing twice."""

from .app import OPERATIONS, Api
from .faults import Call, Fault

__all__ = ["OPERATIONS", "Api", "Call", "Fault"]
