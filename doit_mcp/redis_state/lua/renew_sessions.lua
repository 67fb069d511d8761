-- Extends the lifetime of records. Returns for each: 0 gone, 1 there, 2 there under the key of an older secret.
-- KEYS: record and owner's list, alternating
-- ARGV: 1 lifetime (ms), 2 own replica, 3 prefix of replica keys, 4... each key under the current secret,
--       while there are several secrets

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local there = {}
for i = 1, #KEYS, 2 do
  local holder = redis.call('HGET', KEYS[i], 'holder')
  if holder and holder ~= '' and holder ~= ARGV[2] and redis.call('EXISTS', ARGV[3] .. holder) == 0 then
    holder = false
  end
  local name = ARGV[3 + (i + 1) / 2]
  there[#there + 1] = not holder and 0 or (name and name ~= KEYS[i]) and 2 or 1
  if holder then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
    redis.call('ZADD', KEYS[i + 1], 'XX', now, KEYS[i])
    redis.call('PEXPIRE', KEYS[i + 1], ARGV[1])
  end
end
return there
