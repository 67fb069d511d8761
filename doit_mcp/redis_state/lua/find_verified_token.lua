-- Returns 1 if the token was verified within the lifetime, else 0.
-- KEYS: 1 token hashes, a sorted set by the time of the last verification (s)
-- ARGV: 1 lifetime (s), 2... the hash of the token under each secret

local now = tonumber(redis.call('TIME')[1])
for i = 2, #ARGV do
  local proven = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if proven and tonumber(proven) > now - ARGV[1] then return 1 end
end
return 0
