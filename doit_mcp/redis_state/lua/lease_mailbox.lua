-- Acquires or renews the lease of a mailbox. Returns whether the replica holds it.
-- KEYS: 1 the lease
-- ARGV: 1 replica, 2 duration (ms)

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
