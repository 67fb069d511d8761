"""The OpenTelemetry resource that describes this process. Imported only if telemetry is exported."""

from __future__ import annotations

from functools import cache
from uuid import uuid4

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource

from .. import __version__


@cache
def make_resource() -> Resource:
    """Return the resource that the variables OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME describe.

    Unless they name the instance, its id is random: counters of two processes must not be mixed.
    """
    resource = Resource({SERVICE_INSTANCE_ID: str(uuid4())}).merge(Resource.create())
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "doit-mcp", SERVICE_VERSION: __version__}))
    return resource
