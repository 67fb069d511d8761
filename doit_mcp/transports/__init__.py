"""Transports: HTTP and stdio."""
