-- Forgets a token.
-- KEYS: 1 token hashes
-- ARGV: the hash of the token under each secret

return redis.call('ZREM', KEYS[1], unpack(ARGV))
