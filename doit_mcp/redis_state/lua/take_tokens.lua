-- Takes tokens from all buckets and returns 0, or takes none and returns the time to wait in milliseconds. A bucket is
-- a hash: l(eft), the tokens, and a(t), the time of that count in seconds. A bucket that is full again expires.
-- KEYS: buckets
-- ARGV: 1 number of tokens, then burst and rate of each bucket

local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local goes, wait, left = tonumber(ARGV[1]), 0, {}
for i, key in ipairs(KEYS) do
  local burst, rate = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local held = redis.call('HMGET', key, 'l', 'a')
  left[i] = burst
  if held[1] then left[i] = math.min(burst, held[1] + math.max(0, now - held[2]) * rate) end
  wait = math.max(wait, (math.min(goes, burst) - left[i]) / rate)
end
if wait > 0 then return math.ceil(wait * 1000) end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'l', string.format('%.6f', left[i] - goes), 'a', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil((ARGV[2 * i] - left[i] + goes) / ARGV[2 * i + 1] * 1000) + 1000)
end
return 0
