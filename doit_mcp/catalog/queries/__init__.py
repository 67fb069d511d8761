"""Free queries: any query of the API, saved reports, and queries on stored results."""
