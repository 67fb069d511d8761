"""The areas of the DoiT API, one module each."""
