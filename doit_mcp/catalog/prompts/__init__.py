"""Prompts and the completion of their arguments."""
