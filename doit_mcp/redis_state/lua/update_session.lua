-- Removes and sets fields of a record. Returns its new version, nil if there is no record.
-- KEYS: 1 record
-- ARGV: 1 number of fields to remove, then their names, then field names and values to set

if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local gone = tonumber(ARGV[1])
if gone > 0 then redis.call('HDEL', KEYS[1], unpack(ARGV, 2, 1 + gone)) end
if #ARGV > 1 + gone then redis.call('HSET', KEYS[1], unpack(ARGV, 2 + gone)) end
return redis.call('HINCRBY', KEYS[1], 'version', 1)
