-- Records that a consent is used. Returns 1 if it counts, 0 if it was used before or is too old to tell.
-- KEYS: 1 the owner's used consents, a sorted set by the time of asking
--       2 the time up to which all of the owner's consents count as used
--       3 the marker of mark_consents_start.lua
-- ARGV: 1 consent, 2 time of asking, 3 lifetime (ms), 4 maximum number of consents

local function since(key)
  local now = redis.call('TIME')
  redis.call('SET', key, string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000)), 'NX')
  return tonumber(redis.call('GET', key))
end
local floor = math.max(since(KEYS[3]), tonumber(redis.call('GET', KEYS[2]) or '-1'))
if tonumber(ARGV[2]) <= floor then return 0 end
if redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1]) == 0 then return 0 end
if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[4]) then
  floor = redis.call('ZPOPMIN', KEYS[1])[2]
  redis.call('SET', KEYS[2], floor)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
