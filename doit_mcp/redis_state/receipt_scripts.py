"""The Lua scripts of receipts. A receipt is a hash: s(tate), t(oken), u(ntil when a claim holds), e(nded), a(nswer);
an owner's are listed in a sorted set by when each last moved, those of a group that are known to be done by when each
ended. Redis' clock is the only one.

A Redis whose memory is used up refuses a script at its first write, so a claim begins with the one that needs memory.
A write that was claimed before can still be settled: to delete the field u needs no memory, and a claim without it is
one that was done.
"""

from __future__ import annotations

NOW_PREAMBLE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS: receipt, index. ARGV: token, lease, life, most receipts. Nothing: it is claimed now.
CLAIM_SCRIPT = (
    NOW_PREAMBLE
    + """
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
redis.call('PEXPIRE', KEYS[2], ARGV[2] + ARGV[3])
return false
"""
)

# KEYS: receipt, index, indexes of its groups. ARGV: token, outcome, answer, life.
SETTLE_SCRIPT = (
    NOW_PREAMBLE
    + """
if redis.call('HGET', KEYS[1], 't') ~= ARGV[1] then return 0 end
if ARGV[2] == 'none' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], KEYS[1])
else
  local kept = redis.pcall('HSET', KEYS[1], 's', ARGV[2], 'e', now, 'a', ARGV[3])
  if type(kept) == 'table' and kept.err then
    -- The answer does not fit. What is not known to be done stays a claim that nobody renews.
    if ARGV[2] == 'known' then
      redis.call('HDEL', KEYS[1], 'u')
      redis.call('PEXPIRE', KEYS[1], ARGV[4])
    end
    return 1
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('ZADD', KEYS[2], now, KEYS[1])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
  if ARGV[2] == 'known' then
    for i = 3, #KEYS do
      redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[4])
      redis.call('ZADD', KEYS[i], now, KEYS[1])
      redis.call('PEXPIRE', KEYS[i], ARGV[4])
    end
  end
end
return 1
"""
)

# KEYS: receipts. ARGV: lease, life, the token of each.
RENEW_SCRIPT = (
    NOW_PREAMBLE
    + """
for i, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 's', 't')
  if held[1] == 'claimed' and held[2] == ARGV[i + 2] then
    redis.call('HSET', key, 'u', now + ARGV[1])
    redis.call('PEXPIRE', key, ARGV[1] + ARGV[2])
  end
end
return 1
"""
)

# KEYS: receipt.
FORGET_SCRIPT = (
    NOW_PREAMBLE
    + """
local held = redis.call('HMGET', KEYS[1], 's', 'u')
if held[1] and (held[1] ~= 'claimed' or not held[2] or tonumber(held[2]) <= now) then redis.call('DEL', KEYS[1]) end
return 1
"""
)

# KEYS: indexes of groups. What is not known to be done stays.
FORGET_GROUPS_SCRIPT = """
for _, group in ipairs(KEYS) do
  for _, key in ipairs(redis.call('ZRANGE', group, 0, -1)) do
    if redis.call('HGET', key, 's') == 'known' then redis.call('DEL', key) end
  end
  redis.call('DEL', group)
end
return 1
"""
