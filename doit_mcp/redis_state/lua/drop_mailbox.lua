-- Deletes a mailbox, unless it has another version.
-- KEYS: 1 the mailbox, a hash
-- ARGV: 1 version

if redis.call('HGET', KEYS[1], '#') == ARGV[1] then redis.call('UNLINK', KEYS[1]) end
return 1
