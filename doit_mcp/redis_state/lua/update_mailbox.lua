-- Changes the fields of a mailbox in one step. Returns the new version, -1 if the mailbox has another version than
-- expected or does not exist, and -2 if the replica does not hold the lease.
-- KEYS: 1 the mailbox, a hash, 2 its lease
-- ARGV: 1 lifetime (ms), 2 what is checked: 'lease', 'exists' or a version, 3 replica, 4 number of fields to set, then
--       their names and values, then the names of the fields to delete

local version = tonumber(redis.call('HGET', KEYS[1], '#') or '0')
if ARGV[2] == 'lease' then
  if redis.call('GET', KEYS[2]) ~= ARGV[3] then return -2 end
elseif ARGV[2] == 'exists' then
  if version == 0 then return -1 end
elseif version ~= tonumber(ARGV[2]) then
  return -1
end
if version == 0 then
  -- Unlike the first version of a mailbox of the same owner that was deleted.
  local time = redis.call('TIME')
  version = time[1] * 1000000 + time[2]
end
-- First: a full Redis refuses a script only at its first write, and then nothing has changed.
redis.call('HSET', KEYS[1], '#', string.format('%.0f', version + 1))
local last = 4 + 2 * ARGV[4]
for i = 5, last, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = last + 1, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return version + 1
