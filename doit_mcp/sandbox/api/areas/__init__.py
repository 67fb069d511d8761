"""Operations of the API, a module per area of the document; ROUTES is the table of them all."""

from ..routes import Route
from . import (
    alerts,
    allocations,
    annotations,
    anomalies,
    budget_suggestions,
    budgets,
    cloudflow,
    dimensions,
    folders,
    invoices,
    labels,
    reports,
    settings,
    sharing,
    tickets,
)

ROUTES: tuple[Route, ...] = (
    *alerts.ROUTES,
    *allocations.ROUTES,
    *annotations.ROUTES,
    *labels.ROUTES,
    *settings.ROUTES,
    *budgets.ROUTES,
    *budget_suggestions.ROUTES,
    *dimensions.ROUTES,
    *folders.ROUTES,
    *reports.ROUTES,
    *sharing.ROUTES,
    *anomalies.ROUTES,
    *invoices.ROUTES,
    *cloudflow.ROUTES,
    *tickets.ROUTES,
)
