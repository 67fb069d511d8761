"""The tools, prompts, resources and skills that the server offers, defined independently of any transport."""
