-- Returns the version of a mailbox, 0 if it does not exist.
-- KEYS: 1 the mailbox, a hash

return redis.call('HGET', KEYS[1], '#') or '0'
