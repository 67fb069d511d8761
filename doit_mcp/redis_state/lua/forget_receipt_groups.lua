-- Deletes the receipts of completed writes in some groups. Receipts with an unknown outcome stay.
-- KEYS: lists of the groups

for _, group in ipairs(KEYS) do
  for _, key in ipairs(redis.call('ZRANGE', group, 0, -1)) do
    if redis.call('HGET', key, 's') == 'known' then redis.call('DEL', key) end
  end
  redis.call('DEL', group)
end
return 1
