"""Runs the clients and agent frameworks that users connect, and compares what they do with known answers."""
