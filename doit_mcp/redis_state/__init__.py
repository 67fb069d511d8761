"""What the replicas of one server share, in Redis: results, receipts, sessions, messages, logs, tasks."""
