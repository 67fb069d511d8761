"""The catalog: tools, prompts, resources and skills, independent of any transport."""
