-- Deletes a record. Returns 0 if the record does not exist.
-- KEYS: 1 record, 2 the owner's list

redis.call('ZREM', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[1])
