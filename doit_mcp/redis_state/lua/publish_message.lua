-- Appends a message to the stream that all replicas read.
-- KEYS: 1 stream
-- ARGV: 1 approximate maximum length, 2 lifetime (s), 3 sender, 4 sequence number, 5 message

redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'o', ARGV[3], 'n', ARGV[4], 'm', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
