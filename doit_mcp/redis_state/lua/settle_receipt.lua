-- Settles a claimed write: stores its answer, or releases the claim. Returns 0 if the token no longer holds the claim.
-- KEYS: 1 receipt, 2 the owner's list, 3... lists of the receipt's groups
-- ARGV: 1 token, 2 outcome (none, known, unknown), 3 answer, 4 lifetime (ms)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('HGET', KEYS[1], 't') ~= ARGV[1] then return 0 end
if ARGV[2] == 'none' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], KEYS[1])
else
  local kept = redis.pcall('HSET', KEYS[1], 's', ARGV[2], 'e', now, 'a', ARGV[3])
  if type(kept) == 'table' and kept.err then
    -- The answer does not fit. A write with an unknown outcome stays an unrenewed claim.
    if ARGV[2] == 'known' then
      redis.call('HDEL', KEYS[1], 'u')
      redis.call('PEXPIRE', KEYS[1], ARGV[4])
    end
    return 1
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('ZADD', KEYS[2], now, KEYS[1])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
  if ARGV[2] == 'known' then
    for i = 3, #KEYS do
      redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[4])
      redis.call('ZADD', KEYS[i], now, KEYS[1])
      redis.call('PEXPIRE', KEYS[i], ARGV[4])
    end
  end
end
return 1
