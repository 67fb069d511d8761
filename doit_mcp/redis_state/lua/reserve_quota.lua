-- Raises the count of one replica if the sum over all live replicas stays within the limit. Returns 1 or 0. A hash has
-- a field for each replica: the number of its last report, and its count. A count of 0 stays for a while: without it a
-- delayed, older report could take its place.
-- KEYS: 1 the owner's hash
-- ARGV: 1 replica, 2 report number, 3 count, 4 limit, 5 prefix of replica keys, 6 lifetime (ms)

local sum, newest = tonumber(ARGV[3]), 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local number, count = string.match(all[i + 1], '^(%d+) (%d+)$')
  if all[i] == ARGV[1] then
    newest = tonumber(number)
  elseif redis.call('EXISTS', ARGV[5] .. all[i]) == 1 then
    sum = sum + tonumber(count)
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
if sum > tonumber(ARGV[4]) then return 0 end
if tonumber(ARGV[2]) > newest then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
