-- Stores the counts of one replica for several owners, unless a newer report is there.
-- KEYS: hashes of the owners
-- ARGV: 1 replica, 2 lifetime (ms), 3 report number, 4... the count for each key

for i, key in ipairs(KEYS) do
  local held = redis.call('HGET', key, ARGV[1])
  if not held or tonumber(string.match(held, '^%d+')) < tonumber(ARGV[3]) then
    redis.call('HSET', key, ARGV[1], ARGV[3] .. ' ' .. ARGV[i + 3])
  end
  redis.call('PEXPIRE', key, ARGV[2])
end
return 1
