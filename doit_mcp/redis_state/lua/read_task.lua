-- Returns the holder of a task, its state, and whether the holder is alive; nil if there is no such task.
-- KEYS: 1 task
-- ARGV: 1 prefix of replica keys

local found = redis.call('HMGET', KEYS[1], 'h', 'v')
if not found[1] then return false end
return {found[1], found[2], redis.call('EXISTS', ARGV[1] .. found[1])}
