"""Operations of the API, a module per area of the document; ROUTES is the table of them all."""

from ..routes import Route
from . import anomalies, budgets, cloudflow, dimensions, invoices, reports, tickets

ROUTES: tuple[Route, ...] = (
    *budgets.ROUTES,
    *dimensions.ROUTES,
    *reports.ROUTES,
    *anomalies.ROUTES,
    *invoices.ROUTES,
    *cloudflow.ROUTES,
    *tickets.ROUTES,
)
