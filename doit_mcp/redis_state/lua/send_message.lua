-- Appends a message to the inbox of one replica; drops it if that replica is dead.
-- KEYS: 1 inbox, 2 the key that exists while the replica is alive
-- ARGV: 1 approximate maximum length, 2 lifetime (s), 3 sender, 4 sequence number, 5 message

if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'o', ARGV[3], 'n', ARGV[4], 'm', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
