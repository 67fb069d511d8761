"""State that the replicas of one server share in Redis: the Redis version of each in-memory store and limiter."""
