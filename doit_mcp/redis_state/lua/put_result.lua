-- Stores a result, and evicts the oldest ones beyond the limits of its owner and of all owners.
-- KEYS: 1 the owner's list of "size key", oldest first, 2 the new result, 3 the results of all owners, a sorted set
--       by time
-- ARGV: 1 data, 2 size, 3 lifetime (ms), 4 and 5 maximum number and bytes of the owner, 6 and 7 of all owners

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- First: a full Redis refuses a script only at its first write, and then nothing has changed.
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
local live, held, size = {}, 0, tonumber(ARGV[2])
for _, item in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local bytes, key = string.match(item, '^(%d+) (.*)$')
  if redis.call('EXISTS', key) == 1 then
    live[#live + 1] = {item, key, tonumber(bytes)}
    held = held + tonumber(bytes)
  else
    redis.call('LREM', KEYS[1], 1, item)
  end
end
local first = 1
while first <= #live and (#live - first + 1 >= tonumber(ARGV[4]) or held + size > tonumber(ARGV[5])) do
  redis.call('UNLINK', live[first][2])
  redis.call('LREM', KEYS[1], 1, live[first][1])
  redis.call('ZREM', KEYS[3], live[first][1])
  held = held - live[first][3]
  first = first + 1
end
redis.call('RPUSH', KEYS[1], ARGV[2] .. ' ' .. KEYS[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3] * 1000)
redis.call('ZADD', KEYS[3], now, ARGV[2] .. ' ' .. KEYS[2])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
local sum = 0
for place, item in ipairs(redis.call('ZREVRANGE', KEYS[3], 0, -1)) do
  local bytes, key = string.match(item, '^(%d+) (.*)$')
  sum = sum + tonumber(bytes)
  if place > tonumber(ARGV[6]) or sum > tonumber(ARGV[7]) then
    redis.call('UNLINK', key)
    redis.call('ZREM', KEYS[3], item)
  end
end
return 1
