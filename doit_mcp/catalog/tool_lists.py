"""What clients are shown: the usual tools where they choose nothing, and the few by which all others are found. The
rest can be called all the same."""

from __future__ import annotations

# The questions that people in FinOps ask most, and the tools by which everything else is found. Each costs a client's
# model context, every time: scripts/tokens says how much.
CORE_TOOLS = frozenset(
    """
    get_cloud_overview cost_breakdown cost_trend compare_spend explain_cost_change forecast_spend
    run_query query_result list_dimensions list_reports get_report_results
    get_savings_summary list_optimization_recommendations
    list_budgets get_budget
    get_anomalies get_anomaly
    list_invoices get_invoice
    list_tickets create_ticket
    search fetch validate_user
    find_operation read_operation call_operation
    search_customers change_customer
    """.split()
)

DISCOVERY_TOOLS = frozenset(
    """
    search fetch validate_user
    find_operation read_operation call_operation
    search_customers change_customer
    """.split()
)

ALWAYS_LOADED_TOOLS = frozenset("get_cloud_overview find_operation read_operation call_operation".split())
"""What a client that loads tools only when they are wanted has at hand from the start: where to begin, and what leads
to all others."""
