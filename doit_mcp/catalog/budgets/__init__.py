"""Budgets: their status and forecast, and checks of what they cover."""
