-- Returns the newest entry id of each stream, 0-0 for an empty one.
-- KEYS: streams

local found = {}
for i, key in ipairs(KEYS) do
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  found[i] = last[1] and last[1][1] or '0-0'
end
return found
