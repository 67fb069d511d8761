-- Puts the owner of a mailbox into the list of owners. Each entry begins with the time when it ends.
-- KEYS: 1 the list of owners, a hash
-- ARGV: 1 name of the owner, 2 entry, 3 lifetime (ms)

local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ends) .. ':' .. ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
