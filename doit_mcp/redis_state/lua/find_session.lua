-- Returns {holder, version, whether the holder is alive, key} of a record, and its fields if they are newer than those
-- that the caller knows. Returns nil if there is no record or another owner has it.
-- KEYS: 1 record, 2 the owner's list
-- ARGV: 1 the owner under each secret, separated by spaces, 2 known version, 3 lifetime (ms; 0 does not extend it)
--       4 own replica, 5 prefix of replica keys, 6 the key under the current secret, while there are several

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'holder', 'version')
if not held[1] or not string.find(' ' .. ARGV[1] .. ' ', ' ' .. held[1] .. ' ', 1, true) then return false end
local alive = 1
if held[2] ~= '' and held[2] ~= ARGV[4] then alive = redis.call('EXISTS', ARGV[5] .. held[2]) end
if tonumber(ARGV[3]) > 0 and alive == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('ZADD', KEYS[2], 'XX', now, KEYS[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
if held[3] == ARGV[2] and (not ARGV[6] or ARGV[6] == KEYS[1]) then return {held[2], held[3], alive, KEYS[1]} end
return {held[2], held[3], alive, KEYS[1], redis.call('HGETALL', KEYS[1])}
