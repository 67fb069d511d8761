"""Who may call: bearers verified, refusals explained, and the credential each caller has at the DoiT API."""
