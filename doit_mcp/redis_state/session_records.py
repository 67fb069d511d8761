"""Records: what several replicas know of one thing, as sealed fields, with an owner, a life and perhaps a holder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .connection import Command, RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import KeyName, eval_command, join_names, name_variants

log = logging.getLogger(__name__)

# Fields of ours are owner, holder and version; those of the record begin with "f:".
# An owner's records are listed in a sorted set by when each was used last.
NOW_PREAMBLE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS: record, list. ARGV: owner, holder, life, most, fields and values. What had to go: the field f:id of each.
CREATE_SCRIPT = (
    NOW_PREAMBLE
    + """
-- First: a full Redis refuses a script only at its first write, and then nothing has changed.
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'holder', ARGV[2], 'version', 1, unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
local gone = {}
while redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  redis.call('ZREM', KEYS[2], oldest)
  local id = redis.call('HGET', oldest, 'f:id')
  redis.call('DEL', oldest)
  if id then gone[#gone + 1] = oldest; gone[#gone + 1] = id end
end
redis.call('ZADD', KEYS[2], now, KEYS[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return gone
"""
)

# KEYS: record, list. ARGV: the owner under each secret, separated by blanks, known version, life (0: it is not
# prolonged), own replica, key of replicas, and while there are several secrets the record's name under the current one.
# The name that the record has comes along.
FIND_SCRIPT = (
    NOW_PREAMBLE
    + """
local held = redis.call('HMGET', KEYS[1], 'owner', 'holder', 'version')
if not held[1] or not string.find(' ' .. ARGV[1] .. ' ', ' ' .. held[1] .. ' ', 1, true) then return false end
local alive = 1
if held[2] ~= '' and held[2] ~= ARGV[4] then alive = redis.call('EXISTS', ARGV[5] .. held[2]) end
if tonumber(ARGV[3]) > 0 and alive == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('ZADD', KEYS[2], 'XX', now, KEYS[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
if held[3] == ARGV[2] and (not ARGV[6] or ARGV[6] == KEYS[1]) then return {held[2], held[3], alive, KEYS[1]} end
return {held[2], held[3], alive, KEYS[1], redis.call('HGETALL', KEYS[1])}
"""
)

# KEYS: record, the same under the current secret, the owner's list under each secret, the current one's first.
# ARGV: version, owner, life, fields and values, sealed anew. Nothing happens where the record has changed meanwhile.
MOVE_SCRIPT = (
    NOW_PREAMBLE
    + """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[2], 'owner', ARGV[2], unpack(ARGV, 4))
for i = 4, #KEYS do
  redis.call('ZUNIONSTORE', KEYS[3], 2, KEYS[3], KEYS[i], 'AGGREGATE', 'MAX')
  redis.call('DEL', KEYS[i])
end
redis.call('ZADD', KEYS[3], redis.call('ZSCORE', KEYS[3], KEYS[1]) or now, KEYS[2])
redis.call('ZREM', KEYS[3], KEYS[1])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return 1
"""
)

# KEYS: record. ARGV: number of fields that go, those, fields and values. Nothing where there is no record.
UPDATE_SCRIPT = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local gone = tonumber(ARGV[1])
if gone > 0 then redis.call('HDEL', KEYS[1], unpack(ARGV, 2, 1 + gone)) end
if #ARGV > 1 + gone then redis.call('HSET', KEYS[1], unpack(ARGV, 2 + gone)) end
return redis.call('HINCRBY', KEYS[1], 'version', 1)
"""

# KEYS: record, list.
DELETE_SCRIPT = """
redis.call('ZREM', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[1])
"""

# KEYS: record, list, record, list, … ARGV: life, own replica, key of replicas, and while there are several secrets each
# record's name under the current one. Whether each is still there: 2 if it is, under an older name.
RENEW_SCRIPT = (
    NOW_PREAMBLE
    + """
local there = {}
for i = 1, #KEYS, 2 do
  local holder = redis.call('HGET', KEYS[i], 'holder')
  if holder and holder ~= '' and holder ~= ARGV[2] and redis.call('EXISTS', ARGV[3] .. holder) == 0 then
    holder = false
  end
  local name = ARGV[3 + (i + 1) / 2]
  there[#there + 1] = not holder and 0 or (name and name ~= KEYS[i]) and 2 or 1
  if holder then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
    redis.call('ZADD', KEYS[i + 1], 'XX', now, KEYS[i])
    redis.call('PEXPIRE', KEYS[i + 1], ARGV[1])
  end
end
return there
"""
)

UNLIMITED = 1 << 40
OLD_NAME = 2


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A record. *fields* is None where the version that was known is the newest; *holder_alive* tells of its holder."""

    holder: str
    version: int
    holder_alive: bool
    fields: dict[str, Any] | None


class SessionRecords:
    """Records of one kind, under names that cannot be read from Redis. All methods raise Away."""

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        kind: str,
        replica: str,
        *,
        ttl: float,
        per_owner: int = UNLIMITED,
    ) -> None:
        self._connection, self._encryptor, self._kind, self._replica = connection, encryptor, kind, replica
        self._ttl, self._per_owner = int(ttl * 1000), per_owner
        self._replicas = connection.key("replica", "")

    def hash_name(self, text: str) -> str:
        """Stands for *text* in the name of a field."""
        return self._encryptor.hash_name(text)

    def _keys(self, id: str, owner: str) -> list[str]:
        names = self._encryptor.hash_name(id), self._encryptor.hash_name(owner)
        return [self._connection.key(self._kind, names[0]), self._connection.key(f"{self._kind}s", names[1])]

    async def create(self, id: str, owner: str, fields: Mapping[str, Any], *, pinned: bool = False) -> list[str]:
        """A new record; the ids of those of this owner that had to make room. *pinned*: it needs this replica."""
        keys = self._keys(id, owner)
        holder = self._replica if pinned else ""
        packed = self._encrypt_fields(keys[0], {**fields, "id": id})
        arguments = (str(self._encryptor.hash_name(owner)), holder, self._ttl, self._per_owner)
        gone = await self._connection.run_script(CREATE_SCRIPT, keys, *arguments, *packed)
        pairs = zip(gone[::2], gone[1::2], strict=True)
        ids = (self._decrypt_id(key.decode(), sealed) for key, sealed in pairs)
        return [id for id in ids if id is not None]

    def _decrypt_id(self, key: str, ciphertext: bytes) -> str | None:
        """The id of a record that had to go; None where a secret sealed it that is not in force any more."""
        try:
            return str(self._encryptor.decrypt_json(f"{key} id", ciphertext))
        except DecryptionError:
            log.warning("a record in Redis is not one of ours", extra={"kind": self._kind})
            return None

    async def find(self, id: str, owner: str, known_version: int = 0, *, renew: bool = True) -> SessionRecord | None:
        """The record, if *owner* opened it; *renew* prolongs its life."""
        keys = self._keys(id, owner)
        life = self._ttl if renew else 0
        owners = " ".join(name_variants(self._encryptor.hash_name(owner)))
        own = keys[:1] if isinstance(keys[0], KeyName) else []
        found = await self._connection.run_script(
            FIND_SCRIPT, keys, owners, known_version, life, self._replica, self._replicas, *map(str, own)
        )
        if found is None:
            return None
        try:
            fields = self._decrypt_fields(keys[0], found[4]) if len(found) > 4 else None
        except DecryptionError:
            log.warning("a record in Redis is not one of ours", extra={"kind": self._kind})
            return None
        name = found[3].decode()
        if fields is not None and name != keys[0]:
            await self._move_to_current_name(name, keys, owner, found[1], fields)
        return SessionRecord(found[0].decode(), int(found[1]), bool(found[2]), fields)

    async def _move_to_current_name(
        self, name: str, keys: list[str], owner: str, version: bytes, fields: Mapping[str, Any]
    ) -> None:
        """Name and seal a record by the current secret, so that it outlives the one that it was made with."""
        raw = [name, str(keys[0]), *name_variants(keys[1])]
        packed = self._encrypt_fields(keys[0], fields)
        await self._connection.run_script(
            MOVE_SCRIPT, raw, version, str(self._encryptor.hash_name(owner)), self._ttl, *packed
        )

    async def update(self, id: str, owner: str, fields: Mapping[str, Any], removed: Iterable[str] = ()) -> int | None:
        """Set *fields*, take those in *removed* away; the new version, None where there is no such record any more."""
        keys = self._keys(id, owner)
        names = [f"f:{name}" for name in removed]
        version = await self._connection.run_script(
            UPDATE_SCRIPT, keys[:1], len(names), *names, *self._encrypt_fields(keys[0], fields)
        )
        return None if version is None else int(version)

    async def delete(self, id: str, owner: str) -> bool:
        """End the record; False where there was none."""
        return bool(await self._connection.execute(*self.delete_command(id, owner)))

    def delete_command(self, id: str, owner: str) -> Command:
        """The command that ends the record, for who cannot wait until Redis can be used."""
        return eval_command(DELETE_SCRIPT, self._keys(id, owner))

    async def renew(self, records: Iterable[tuple[str, str]]) -> list[bool]:
        """Prolong the lives of records (id, owner); whether each is still there, and its holder."""
        records = list(records)
        keys = [key for id, owner in records for key in self._keys(id, owner)]
        own = [str(key) for key in keys[::2] if isinstance(key, KeyName)]
        there = await self._connection.run_script(RENEW_SCRIPT, keys, self._ttl, self._replica, self._replicas, *own)
        for (id, owner), one in zip(records, there, strict=True):
            if one == OLD_NAME:
                # Finding it gives it its new one.
                await self.find(id, owner)
        return [bool(one) for one in there]

    def _encrypt_fields(self, key: str, fields: Mapping[str, Any]) -> list[str | bytes]:
        """Names and sealed values; each value is bound to its record and name."""
        packed: list[str | bytes] = []
        for name, value in fields.items():
            packed += [f"f:{name}", self._encryptor.encrypt_json(join_names(" ", (key, name)), value)]
        return packed

    def _decrypt_fields(self, key: str, flat: list[bytes]) -> dict[str, Any]:
        """The fields; raises Broken."""
        pairs = zip(flat[::2], flat[1::2], strict=True)
        own = {name.decode()[2:]: sealed for name, sealed in pairs if name.startswith(b"f:")}
        return {
            name: self._encryptor.decrypt_json(join_names(" ", (key, name)), sealed) for name, sealed in own.items()
        }
