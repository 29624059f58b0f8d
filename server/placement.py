"""Which node serves a session: atomic scripts in Redis, so that no place is given twice whoever asks when.

`beat` says that a node lives and what it serves; `claim` takes a place; `release` gives it back.  All three may be
repeated.  A node that crashes says nothing: its places are free when their leases end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from reverie.server.errors import AtCapacity, Elsewhere, NotReady
from reverie.server.keys import LEASE_MS, NODE_MS, Keys

_NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
_BEAT = (
    _NOW
    + """
local prefix, id, about = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local node_ms, lease_ms, lost = tonumber(ARGV[4]), tonumber(ARGV[5]), {}
redis.call('ZADD', prefix .. 'nodes', now + node_ms, id)
redis.call('HSET', prefix .. 'node:' .. id, 'url', about.url, 'device', about.device, 'models', about.models,
  'slots', about.slots, 'load', about.load, 'draining', about.draining)
redis.call('PEXPIRE', prefix .. 'node:' .. id, node_ms)
for session, tenant in pairs(cjson.decode(ARGV[6])) do
  local key = prefix .. 'session:' .. session
  local owner = redis.call('HGET', key, 'node')
  if owner and owner ~= id then lost[#lost + 1] = session
  else
    redis.call('HSET', key, 'node', id, 'tenant', tenant, 'url', about.url)
    redis.call('PEXPIRE', key, lease_ms)
    for _, set in ipairs({prefix .. 'leases:' .. id, prefix .. 'tenant:' .. tenant}) do
      redis.call('ZADD', set, now + lease_ms, session)
      redis.call('PEXPIRE', set, lease_ms)
    end
  end
end
return lost
"""
)
_CLAIM = (
    _NOW
    + """
local prefix, session, tenant, model = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local asked, stay, limit, lease_ms = ARGV[5], ARGV[6] == '1', tonumber(ARGV[7]), tonumber(ARGV[8])
local key, mine = prefix .. 'session:' .. session, prefix .. 'tenant:' .. tenant
local function take(id, url)
  redis.call('HSET', key, 'node', id, 'tenant', tenant, 'url', url)
  redis.call('PEXPIRE', key, lease_ms)
  for _, set in ipairs({prefix .. 'leases:' .. id, mine}) do
    redis.call('ZADD', set, now + lease_ms, session)
    redis.call('PEXPIRE', set, lease_ms)
  end
  return {'ok', id, url}
end
local owner = redis.call('HGET', key, 'node')
if owner then
  if redis.call('HGET', key, 'tenant') ~= tenant then return {'taken'} end
  local lives = redis.call('ZSCORE', prefix .. 'nodes', owner)
  if lives and tonumber(lives) > now and redis.call('HGET', prefix .. 'node:' .. owner, 'draining') == '0' then
    return take(owner, redis.call('HGET', key, 'url'))
  end
  redis.call('ZREM', prefix .. 'leases:' .. owner, session)
end
redis.call('ZREMRANGEBYSCORE', mine, '-inf', now)
redis.call('ZREM', mine, session)
if limit > 0 and redis.call('ZCARD', mine) >= limit then return {'tenant'} end
redis.call('ZREMRANGEBYSCORE', prefix .. 'nodes', '-inf', now)
local best, best_load, slots_in_all = nil, 2, 0
for _, id in ipairs(redis.call('ZRANGE', prefix .. 'nodes', 0, -1)) do
  local about = redis.call('HMGET', prefix .. 'node:' .. id, 'slots', 'models', 'draining', 'url', 'load')
  local slots = tonumber(about[1] or 0)
  if slots > 0 and about[3] == '0' and string.find(',' .. about[2] .. ',', ',' .. model .. ',', 1, true) then
    local leases = prefix .. 'leases:' .. id
    redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
    local used = redis.call('ZCARD', leases)
    slots_in_all = slots_in_all + slots
    local load = used / slots
    if used < slots then
      if id == asked and (stay or best_load >= load) then load = stay and -1 or load - 1e-6 end
      if load < best_load then best, best_load = {id, about[4]}, load end
    end
  end
end
if not best then return {'full', tostring(slots_in_all)} end
return take(best[1], best[2])
"""
)
_RELEASE = """
local prefix, id, session = ARGV[1], ARGV[2], ARGV[3]
redis.call('ZREM', prefix .. 'leases:' .. id, session)
local key = prefix .. 'session:' .. session
if redis.call('HGET', key, 'node') ~= id then return 0 end
redis.call('ZREM', prefix .. 'tenant:' .. redis.call('HGET', key, 'tenant'), session)
return redis.call('DEL', key)
"""


@dataclass(frozen=True, slots=True)
class About:
    """What a node says of itself."""

    id: str
    url: str  # where clients reach it
    device: str
    models: tuple[str, ...]
    slots: int  # sessions at once
    load: float = 0.0  # share of the device that is busy, 0 to 1
    draining: bool = False


class Placement:
    """The scripts, for one fleet."""

    def __init__(self, redis: Redis, keys: Keys, node_ms: int = NODE_MS, lease_ms: int = LEASE_MS) -> None:
        self._keys, self._node_ms, self._lease_ms = keys, node_ms, lease_ms
        self._beat, self._claim, self._release = map(redis.register_script, (_BEAT, _CLAIM, _RELEASE))

    async def beat(self, about: About, sessions: dict[str, str]) -> list[str]:
        """Say that a node lives and serves these sessions (id -> tenant).

        Returns: those of them that another node has taken over; this one must end them.
        Raises: redis.RedisError.
        """
        told = {
            "url": about.url, "device": about.device, "models": ",".join(about.models), "slots": about.slots,
            "load": round(about.load, 3), "draining": int(about.draining),
        }  # fmt: skip
        lost = await self._run(
            self._beat, about.id, json.dumps(told), self._node_ms, self._lease_ms, json.dumps(sessions)
        )
        return [_text(session) for session in lost]

    async def claim(
        self, session: str, tenant: str, model: str, asked: str, stay: bool = False, limit: int = 0
    ) -> None:  # fmt: skip
        """Take a place at `asked`, the node that was asked, or learn where there is one: least loaded first.

        Args:
            stay: take a place at `asked` if it has one, whatever its load.
            limit: sessions of this tenant at once, 0 for any number.
        Raises: Elsewhere; AtCapacity; NotReady if no node has the model; redis.RedisError.
        """
        said = await self._run(self._claim, session, tenant, model, asked, int(stay), limit, self._lease_ms)
        answer, *rest = [_text(each) for each in said]
        if answer == "tenant":
            raise AtCapacity(limit, what="sessions of this tenant")
        if answer == "taken":
            raise AtCapacity(1, what="places under this session's name")
        if answer == "full":
            if rest[0] == "0":
                raise NotReady
            raise AtCapacity(int(rest[0]), what="sessions of this fleet")
        if rest[0] != asked:
            raise Elsewhere(rest[1])

    async def release(self, session: str, node: str) -> None:
        """Give a place back, if it is still this node's.  Raises: redis.RedisError."""
        await self._run(self._release, node, session)

    async def _run(self, script: Any, *arguments: Any) -> Any:
        return await script(keys=[self._keys.nodes], args=[self._keys.prefix, *arguments])


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
