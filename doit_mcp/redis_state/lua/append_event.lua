-- Appends a message to the log of a stream. A message whose number is already in the log is ignored. The id of an
-- entry is the number of its message; 0-1 is the beginning. The metadata can be large, so it is stored once, under its
-- own key.
-- KEYS: 1 log, 2 metadata
-- ARGV: 1 lifetime (ms), 2 maximum length, 3 id, 4 message, 5 whether it is the last, 6 holder, 7 metadata (first
--       entry)

local done = redis.pcall('XADD', KEYS[1], 'MAXLEN', ARGV[2], ARGV[3], 'm', ARGV[4], 'l', ARGV[5], 'h', ARGV[6])
if type(done) == 'table' and done.err and not string.find(done.err, 'equal or smaller', 1, true) then return done end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
if ARGV[7] then redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[1]) else redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
return 1
