-- Returns the time in milliseconds since which Redis knows used consents, and sets it to now where it is missing. The
-- marker never expires. A Redis that lost its data gets a later marker, so earlier consents count as used.
-- KEYS: 1 the marker.

local function since(key)
  local now = redis.call('TIME')
  redis.call('SET', key, string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000)), 'NX')
  return tonumber(redis.call('GET', key))
end
 return since(KEYS[1])
