"""The scripts of placement, as Redis runs them: each is atomic.  `keys.py` says what the keys hold."""

from reverie.server import fair

_SHARED = (
    f"""
local HALF_LIFE_MS, STEPS, CROWD = {fair.HALF_LIFE_S * 1000:.0f}, {fair.STEPS}, {fair.CROWD}
local FURTHEST, FLEX, CHANCE = {fair.FURTHEST}, {fair.FLEX}, {fair.CHANCE}
"""
    + """
local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)
local prefix = ARGV[1]
local function living(set)
  redis.call('ZREMRANGEBYSCORE', set, '-inf', now)
  return redis.call('ZCARD', set)
end
local function leave(id, session)
  redis.call('ZREM', prefix .. 'leases:' .. id, session)
  redis.call('ZREM', prefix .. 'ranks:' .. id, session)
end
local function bury_leases(id)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'leases:' .. id, '-inf', now)) do leave(id, gone) end
end
local function serves(id, model)  -- slots, url; nil if it does not
  local about = redis.call('HMGET', prefix .. 'node:' .. id, 'slots', 'models', 'draining', 'url')
  if about[3] == '0' and string.find(',' .. about[2] .. ',', ',' .. model .. ',', 1, true) then
    return tonumber(about[1]), about[4]
  end
end
local function node_moved() redis.call('SET', prefix .. 'moved', t[1] .. '.' .. t[2]) end
local function bury_dead()
  if redis.call('ZREMRANGEBYSCORE', prefix .. 'nodes', '-inf', now) > 0 then node_moved() end
end
local function note_use(tenant)
  local used, value, at, before = living(prefix .. 'tenant:' .. tenant), 0, now, 0
  local old = redis.call('HGET', prefix .. 'use', tenant)
  if old then value, at, before = string.match(old, '(.*) (.*) (.*)') end
  value = before + (value - before) * 0.5 ^ ((now - at) / HALF_LIFE_MS)
  redis.call('HSET', prefix .. 'use', tenant, value .. ' ' .. string.format('%d', now) .. ' ' .. used)
end
local function hold(id, session, tenant, tier, rank, url, lease_ms)
  local key = prefix .. 'session:' .. session
  redis.call('HSETNX', key, 'since', now)
  redis.call('HSET', key, 'node', id, 'tenant', tenant, 'tier', tier, 'url', url)
  redis.call('PEXPIRE', key, lease_ms)
  for _, set in ipairs({prefix .. 'leases:' .. id, prefix .. 'tenant:' .. tenant}) do
    redis.call('ZADD', set, now + lease_ms, session)
    redis.call('PEXPIRE', set, lease_ms)
  end
  redis.call('ZADD', prefix .. 'ranks:' .. id, rank, session)
  redis.call('PEXPIRE', prefix .. 'ranks:' .. id, lease_ms)
end
"""
)

# ARGV: prefix, node, what it says of itself, ms that it counts as alive, ms of a lease, its sessions, when nodes came
# or went last as far as it knows.  -> those lost, when nodes came or went last, {url of every node that serves};
# the urls are left out where they are known: else each beat would cost as much as there are nodes.
# Of a node that has more sessions than places, the one that is furthest beyond its tenant's right goes to where there
# is a place, if one of sixteen nodes has one.
BEAT = (
    _SHARED
    + """
local id, about = ARGV[2], cjson.decode(ARGV[3])
local node_ms, lease_ms, lost, last, furthest = tonumber(ARGV[4]), tonumber(ARGV[5]), {}, nil, 0
bury_dead()
local before = redis.call('HMGET', prefix .. 'node:' .. id, 'url', 'draining')
if redis.call('ZADD', prefix .. 'nodes', now + node_ms, id) == 1
  or before[1] ~= about.url or before[2] ~= tostring(about.draining) then node_moved() end
redis.call('HSET', prefix .. 'node:' .. id, 'url', about.url, 'device', about.device, 'models', about.models,
  'slots', about.slots, 'load', about.load, 'draining', about.draining)
redis.call('PEXPIRE', prefix .. 'node:' .. id, node_ms)
for session, of in pairs(cjson.decode(ARGV[6])) do
  local owner = redis.call('HGET', prefix .. 'session:' .. session, 'node')
  if owner and owner ~= id then lost[#lost + 1] = session
  else
    hold(id, session, of[1], of[2], of[3], about.url, lease_ms)
    if not owner then note_use(of[1]) end
    if of[3] > furthest then last, furthest = session, of[3] end
  end
end
bury_leases(id)
if last and redis.call('ZCARD', prefix .. 'ranks:' .. id) > tonumber(about.slots) then
  local ids, of = redis.call('ZRANGE', prefix .. 'nodes', 0, -1), cjson.decode(ARGV[6])[last]
  for n = 1, math.min(#ids, 16) do
    local other = ids[(t[2] + n) % #ids + 1]
    local slots, url = serves(other, about.models)
    bury_leases(other)
    if other ~= id and slots and redis.call('ZCARD', prefix .. 'ranks:' .. other) < slots then
      leave(id, last)
      hold(other, last, of[1], of[2], of[3], url, lease_ms)
      lost[#lost + 1] = last
      break
    end
  end
end
local moved, urls = redis.call('GET', prefix .. 'moved') or '', {}
if moved == ARGV[7] then return {lost, moved, false} end
for _, each in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'nodes', now, '+inf')) do
  local of = redis.call('HMGET', prefix .. 'node:' .. each, 'url', 'draining')
  if of[1] and of[2] == '0' then urls[#urls + 1] = of[1] end
end
return {lost, moved, urls}
"""
)

# ARGV: prefix, session, tenant, model, node asked, whether to stay there, limit, ms of a lease, tier, whether it is
# this one's turn, whether only a session that has a place may have one, places that nobody takes back from the tenant,
# how many of the tenant wait, this one among them.
# -> {'ok', node, url, rank} | {'tenant'} | {'taken'} | {'wait'} | {'full', slots}
CLAIM = (
    _SHARED
    + """
local session, tenant, model = ARGV[2], ARGV[3], ARGV[4]
local asked, stay, limit, lease_ms = ARGV[5], ARGV[6] == '1', tonumber(ARGV[7]), tonumber(ARGV[8])
local tier, turn, only_back, right = ARGV[9], ARGV[10] == '1', ARGV[11] == '1', tonumber(ARGV[12])
local waiting = tonumber(ARGV[13])
local key, mine = prefix .. 'session:' .. session, prefix .. 'tenant:' .. tenant
local owner = redis.call('HGET', key, 'node')
local function take(id, url, rank)
  if owner then leave(owner, session) end
  hold(id, session, tenant, tier, rank, url, lease_ms)
  note_use(tenant)
  return {'ok', id, url, tostring(rank)}
end
if owner then
  if redis.call('HGET', key, 'tenant') ~= tenant then return {'taken'} end
  local lives = redis.call('ZSCORE', prefix .. 'nodes', owner)
  local held = redis.call('ZSCORE', prefix .. 'leases:' .. owner, session)
  if lives and tonumber(lives) > now and held and tonumber(held) > now
    and redis.call('HGET', prefix .. 'node:' .. owner, 'draining') == '0' then
    return take(owner, redis.call('HGET', key, 'url'), redis.call('ZSCORE', prefix .. 'ranks:' .. owner, session))
  end
end
local others = living(mine) - (redis.call('ZSCORE', mine, session) and 1 or 0)
if limit > 0 and others >= limit then return {'tenant'} end
if only_back and not owner then return {'wait'} end
if not turn and not owner and living(prefix .. 'waiters') > 0 then return {'wait'} end
bury_dead()
local best, best_load, slots_in_all = nil, 2, 0
local beyond = others + math.max(1, waiting - CHANCE) - right
local rank = others + 1 <= right and 0 or math.min(FURTHEST, math.ceil(STEPS * beyond / math.sqrt(right + 1)))
if tier == 'flex' then rank = FLEX end
local function weigh(id)
  local slots, url = serves(id, model)
  if slots and slots > 0 then
    bury_leases(id)
    local ranks = prefix .. 'ranks:' .. id
    local used, all = redis.call('ZCOUNT', ranks, '-inf', rank), redis.call('ZCARD', ranks)
    slots_in_all = slots_in_all + slots
    local load = (used + (all - used) / 1000) / slots
    if used < slots and all < CROWD * slots then
      if id == asked then load = stay and -1 or load - 1e-6 end
      if load < best_load then best, best_load = {id, url}, load end
    end
  end
end
local ids = redis.call('ZRANGE', prefix .. 'nodes', 0, -1)
if redis.call('ZSCORE', prefix .. 'nodes', asked) then weigh(asked) end
for n = 1, #ids do  -- from one that differs each time; no more than some while one of them has a place
  local id = ids[(t[2] + n) % #ids + 1]
  if n > 16 and best then break end
  if id ~= asked then weigh(id) end
end
if not best then return {'full', tostring(slots_in_all)} end
return take(best[1], best[2], rank)
"""
)

# ARGV: prefix, node, session.  -> whether it was this node's
RELEASE = (
    _SHARED
    + """
local id, session = ARGV[2], ARGV[3]
leave(id, session)
local key = prefix .. 'session:' .. session
local of = redis.call('HMGET', key, 'node', 'tenant', 'since')
if of[1] ~= id then return 0 end
redis.call('ZREM', prefix .. 'tenant:' .. of[2], session)
note_use(of[2])
redis.call('LPUSH', prefix .. 'lasted', now - (of[3] or now))
redis.call('LTRIM', prefix .. 'lasted', 0, 63)
return redis.call('DEL', key)
"""
)

# ARGV: prefix, model, ms that one who waits counts as there, ticket or '', tenant, tier.
# -> slots, places in use of each rank, {tenant, average, used ...}, ms of visits, {ticket, tenant, tier, since ...}
LOOK = (
    _SHARED
    + """
local model, ticket = ARGV[2], ARGV[4]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'waiters', '-inf', now)) do
  redis.call('HDEL', prefix .. 'waiting', gone)
end
living(prefix .. 'waiters')
if ticket ~= '' then
  redis.call('ZADD', prefix .. 'waiters', now + ARGV[3], ticket)
  redis.call('HSETNX', prefix .. 'waiting', ticket, ARGV[5] .. ' ' .. ARGV[6] .. ' ' .. now .. ' ' .. model)
end
local slots, ranks, use, waiting = 0, {}, {}, {}
for rank = 1, FLEX + 1 do ranks[rank] = 0 end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'nodes', now, '+inf')) do
  local here = serves(id, model)
  if here then
    bury_leases(id)
    slots = slots + here
    local places = redis.call('ZRANGE', prefix .. 'ranks:' .. id, 0, -1, 'WITHSCORES')
    for n = 2, #places, 2 do ranks[places[n] + 1] = ranks[places[n] + 1] + 1 end
  end
end
local known = redis.call('HGETALL', prefix .. 'use')
for n = 1, #known, 2 do
  local value, at, before = string.match(known[n + 1], '(.*) (.*) (.*)')
  value = before + (value - before) * 0.5 ^ ((now - at) / HALF_LIFE_MS)
  local used = before == '0' and 0 or living(prefix .. 'tenant:' .. known[n])
  if used == 0 and value < 0.05 then redis.call('HDEL', prefix .. 'use', known[n]) end
  for _, each in ipairs({known[n], tostring(value), used}) do use[#use + 1] = each end
end
known = redis.call('HGETALL', prefix .. 'waiting')
for n = 1, #known, 2 do
  local tenant, tier, since, of = string.match(known[n + 1], '^(%S+) (%S+) (%S+) (.*)$')
  if of == model then
    for _, each in ipairs({known[n], tenant, tier, since}) do waiting[#waiting + 1] = each end
  end
end
return {slots, ranks, use, redis.call('LRANGE', prefix .. 'lasted', 0, -1), waiting}
"""
)

# ARGV: prefix, ticket
LEAVE = """
redis.call('ZREM', ARGV[1] .. 'waiters', ARGV[2])
return redis.call('HDEL', ARGV[1] .. 'waiting', ARGV[2])
"""

# ARGV: prefix, node.  It cannot be reached: it is dead until it beats again
BURY = (
    _SHARED
    + """
if redis.call('ZREM', prefix .. 'nodes', ARGV[2]) == 1 then node_moved() end
"""
)
