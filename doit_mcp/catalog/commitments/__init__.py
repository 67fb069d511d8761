"""Commitments: Savings Plans, Reserved Instances and contracts, with their coverage and use."""
