"""Service quotas: limits of cloud services and their utilization."""

from typing import Annotated, Literal

from ...protocol.json_schema import JsonObject, Range
from ..common_types import ListPage
from ..operation import Area, get
from ..parameters import MaxResults, PageToken


class QuotaPage(ListPage, total=False):
    """A page of quotas."""

    items: Annotated[
        list[JsonObject],
        "Each with cloudProvider, resource (account or project), service, quota, region, limit, usage, "
        "utilizationPercent, status (ok, warning from 80 %, exceeded from 100 %) and observedAt. Global "
        "quotas have no region.",
    ]


class ServiceQuotas(Area):
    """Service quotas: limits of AWS accounts and Google Cloud projects, utilization, quotas that are nearly used up."""

    @get("/core/v1/service-quotas", items="items")
    async def list_service_quotas(
        self,
        *,
        cloudProvider: Annotated[Literal["aws", "gcp"] | None, "Only quotas of this cloud."] = None,
        minUtilizationPercent: Annotated[float | None, "Minimum utilization.", Range(0, 100)] = None,
        maxResults: Annotated[MaxResults, Range(1, 200)] = None,
        pageToken: PageToken = None,
    ) -> Annotated[JsonObject, QuotaPage]:
        """List cloud service quotas with their utilization, highest first, to see which limits are near. Includes only
        the quotas that DoiT monitors, as last checked."""
        ...
