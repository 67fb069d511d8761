"""What this server offers: tools, prompts, resources and skills as records."""
