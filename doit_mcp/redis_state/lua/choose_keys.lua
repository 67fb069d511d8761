-- Runs before another script while there are several secrets: each key comes under every secret, and the first one
-- that exists is chosen, or else that of the current secret. Redis runs scripts one at a time, so all replicas choose
-- alike.
-- KEYS: *width* variants of each key; width is a local variable that the caller puts in front of this text

do
  local count = #KEYS / width
  for i = 1, count do
    local first = (i - 1) * width + 1
    local chosen = KEYS[first]
    for j = first, first + width - 1 do
      if redis.call('EXISTS', KEYS[j]) == 1 then chosen = KEYS[j] break end
    end
    KEYS[i] = chosen
  end
  for i = #KEYS, count + 1, -1 do KEYS[i] = nil end
end
