-- Deletes a receipt unless its write still runs.
-- KEYS: 1 receipt

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 's', 'u')
if held[1] and (held[1] ~= 'claimed' or not held[2] or tonumber(held[2]) <= now) then redis.call('DEL', KEYS[1]) end
return 1
