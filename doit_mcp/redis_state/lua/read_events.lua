-- Returns a page of a log: first id, last id, whether it is complete, metadata, holder, whether the holder is alive,
-- messages. Returns nil where there is no log.
-- KEYS: 1 log, 2 metadata
-- ARGV: 1 number of the last message that the reader has, 2 maximum number of messages, 3 prefix of replica keys

local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then return false end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local fields = {}
for i = 1, #last[2], 2 do fields[last[2][i]] = last[2][i + 1] end
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-1', '+', 'COUNT', ARGV[2])
local alive = redis.call('EXISTS', ARGV[3] .. fields['h'])
return {first[1], last[1], fields['l'], redis.call('GET', KEYS[2]), fields['h'], alive, found}
