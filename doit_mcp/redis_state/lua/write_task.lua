-- Stores the state of a task.
-- KEYS: 1 task
-- ARGV: 1 holder, 2 state, 3 lifetime (ms)

redis.call('HSET', KEYS[1], 'h', ARGV[1], 'v', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
