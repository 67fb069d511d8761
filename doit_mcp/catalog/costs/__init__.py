"""Composed tools that explain costs."""
