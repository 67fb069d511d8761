"""Limiters, circuit breakers and the compute thread, so that one caller or failing upstream does not delay others."""
