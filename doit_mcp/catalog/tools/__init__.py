"""Tools: how they are made, called, named and limited."""
