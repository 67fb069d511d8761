-- Claims a write. Returns nil if the caller has to do it, else {state, age (ms), answer}. A receipt is a hash:
-- s(tate), t(oken of the claim), u(ntil when the claim holds), e(nd time), a(nswer). An owner's receipts are listed in
-- a sorted set by the time of their last change, those of a group by the time they ended. A Redis without free memory
-- refuses a script at its first write, so a claim begins with the write that needs memory. Settling must work then as
-- well: deleting the field u needs no memory, and a claim without it is a write that was done.
-- KEYS: 1 receipt, 2 the owner's list
-- ARGV: 1 token, 2 lease (ms), 3 lifetime (ms), 4 maximum number of receipts

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 's', 'u', 'e', 'a')
if held[1] == 'claimed' then
  if not held[2] then return {'known', math.max(0, ARGV[3] - redis.call('PTTL', KEYS[1])), ''} end
  if tonumber(held[2]) > now then return {'claimed', 0, ''} end
  return {'unknown', now - tonumber(held[2]), ''}
elseif held[1] then
  return {held[1], now - tonumber(held[3]), held[4]}
end
redis.call('HSET', KEYS[1], 's', 'claimed', 't', ARGV[1], 'u', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3])
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) then
  local oldest, settled, count = false, false, 0
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    local state = redis.call('HMGET', key, 's', 'u')
    if not state[1] then
      redis.call('ZREM', KEYS[2], key)
    else
      count = count + 1
      oldest = oldest or key
      if not settled and (state[1] ~= 'claimed' or not state[2] or tonumber(state[2]) <= now) then settled = key end
    end
  end
  if count >= tonumber(ARGV[4]) then
    redis.call('DEL', settled or oldest)
    redis.call('ZREM', KEYS[2], settled or oldest)
  end
end
redis.call('ZADD', KEYS[2], now, KEYS[1])
-- The list lasts as long as the receipt in it that lasts longest.
if redis.call('PTTL', KEYS[2]) < ARGV[2] + ARGV[3] then redis.call('PEXPIRE', KEYS[2], ARGV[2] + ARGV[3]) end
return false
