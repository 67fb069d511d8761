"""Limiters, circuit breakers and the compute thread: they keep one caller or one failing upstream from delaying others."""
