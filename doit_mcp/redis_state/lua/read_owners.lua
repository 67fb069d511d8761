-- Returns the entries of all owners of mailboxes, and removes those that have ended.
-- KEYS: 1 the list of owners, a hash

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fields = redis.call('HGETALL', KEYS[1])
local live = {}
for i = 1, #fields, 2 do
  local ends, entry = string.match(fields[i + 1], '^(%d+):(.*)$')
  if tonumber(ends) > now then
    live[#live + 1] = entry
  else
    redis.call('HDEL', KEYS[1], fields[i])
  end
end
return live
