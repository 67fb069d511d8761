"""Authentication of callers, and their credentials for the DoiT API."""
