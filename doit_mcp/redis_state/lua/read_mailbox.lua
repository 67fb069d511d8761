-- Returns all fields of a mailbox.
-- KEYS: 1 the mailbox, a hash

return redis.call('HGETALL', KEYS[1])
