"""Tests that what the cost tools answer is true: every figure is compared with SQL over the sandbox's billing lines."""
