"""Resources, guides and skills."""
