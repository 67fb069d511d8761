-- Creates a record. Returns the key and the encrypted id of each record that had to make room. A record is a hash: owner,
-- holder, version, and the fields of the session as "f:" and their name. An owner's records are listed in a sorted set
-- by the time of their last use.
-- KEYS: 1 record, 2 the owner's list
-- ARGV: 1 owner, 2 holder, 3 lifetime (ms), 4 maximum number of records, 5... field names and values

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- First: a full Redis refuses a script only at its first write, and then nothing has changed.
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'holder', ARGV[2], 'version', 1, unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
local gone = {}
while redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  redis.call('ZREM', KEYS[2], oldest)
  local id = redis.call('HGET', oldest, 'f:id')
  redis.call('DEL', oldest)
  if id then gone[#gone + 1] = oldest; gone[#gone + 1] = id end
end
redis.call('ZADD', KEYS[2], now, KEYS[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return gone
