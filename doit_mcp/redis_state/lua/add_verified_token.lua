-- Records that a token was verified now; forgets the oldest beyond the maximum.
-- KEYS: 1 token hashes, a sorted set by the time of the last verification (s)
-- ARGV: 1 lifetime (s), 2 maximum number of tokens, 3 hash

local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
