"""Savings: recommendations, and all ways to save ranked together."""
