-- Renames a record to its key under the current secret, with fields that are encrypted again. Does nothing if the
-- record has changed meanwhile.
-- KEYS: 1 record, 2 the record under the current secret, 3... the owner's list under each secret, the current one
--       first
-- ARGV: 1 version, 2 owner, 3 lifetime (ms), 4... field names and values

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[2], 'owner', ARGV[2], unpack(ARGV, 4))
for i = 4, #KEYS do
  redis.call('ZUNIONSTORE', KEYS[3], 2, KEYS[3], KEYS[i], 'AGGREGATE', 'MAX')
  redis.call('DEL', KEYS[i])
end
redis.call('ZADD', KEYS[3], redis.call('ZSCORE', KEYS[3], KEYS[1]) or now, KEYS[2])
redis.call('ZREM', KEYS[3], KEYS[1])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return 1
