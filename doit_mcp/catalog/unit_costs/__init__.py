"""Costs per unit of a business metric."""
