-- Returns unused tokens to buckets.
-- KEYS: buckets
-- ARGV: 1 number of tokens, then burst and rate of each bucket

for i, key in ipairs(KEYS) do
  local left = redis.call('HGET', key, 'l')
  if left then
    redis.call('HSET', key, 'l', string.format('%.6f', math.min(tonumber(ARGV[2 * i]), left + ARGV[1])))
  end
end
return 1
