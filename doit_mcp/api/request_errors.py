"""Errors of requests to the DoiT API: what failed, and whether a write may still have taken effect."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ..resilience.circuit_breaker import CircuitOpen
from .effects import NOT_CONNECTED
from .error_reasons import clean_text, extract_reason
from .errors import NEEDS_CUSTOMER, ApiError, CredentialError, error_kind, parse_retry_after
from .operation import Operation

CUSTOMER_ADVICE = (
    "Call it again with customerContext, a customer id from search_customers, or call change_customer first."
)
TENANT_REQUIRED = "tenant_id_required"
"""The API's error code for requests of employees that do not name a customer."""


def status_error(operation: Operation, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """Return the error for a status outside 2xx. After a server error a write may have been applied."""
    reason = extract_reason(status, body)
    needs_customer = reason.startswith(TENANT_REQUIRED)
    error = ApiError(
        NEEDS_CUSTOMER if needs_customer else reason,
        # A list without a placeholder has no object whose state could be wrong.
        kind=error_kind(status, has_body=operation.has_body or not operation.placeholders),
        status=status,
        retry_after=parse_retry_after(headers.get("Retry-After", ""), datetime.now(UTC)),
        maybe_applied=not operation.read_only and not 400 <= status < 500,
    )
    if needs_customer:
        error.advice = CUSTOMER_ADVICE
    return error


def connection_error(operation: Operation, error: Exception) -> ApiError:
    """Return the error for a connection that failed before anything was sent, or that broke later."""
    if isinstance(error, NOT_CONNECTED):
        return ApiError("the connection failed", kind="network")
    reason = "the connection broke before the response was complete"
    return ApiError(reason, kind="network", maybe_applied=not operation.read_only)


def circuit_open_error(circuit: CircuitOpen) -> ApiError:
    """Return the error for a request that was not sent because the circuit is open."""
    reason = "the service is temporarily unavailable: too many requests failed, so this one was not sent"
    return ApiError(reason, kind="fault", retry_after=circuit.retry_after)


def timeout_error(operation: Operation) -> ApiError:
    """Return the error for a request without a complete response in time."""
    return ApiError("", kind="timeout", maybe_applied=not operation.read_only)


def credential_error(error: CredentialError) -> ApiError:
    """Return the error for a call without a credential for the API."""
    if error.kind == "refused":
        return ApiError(clean_text(str(error)), kind="credential", status=401)
    return ApiError("the sign-in service is not available", kind="network", retry_after=error.retry_after)
