-- Extends the claims of writes that still run.
-- KEYS: receipts
-- ARGV: 1 lease (ms), 2 lifetime (ms), 3... the token of each

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 's', 't')
  if held[1] == 'claimed' and held[2] == ARGV[i + 2] then
    redis.call('HSET', key, 'u', now + ARGV[1])
    redis.call('PEXPIRE', key, ARGV[1] + ARGV[2])
  end
end
return 1
