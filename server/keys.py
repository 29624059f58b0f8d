"""Every Redis key of this service: its type, what it holds, when it expires.

All keys of one fleet carry the same hash tag, `{NAME}`, so that one script may touch them on a Redis Cluster as well.
Times are Redis' own (`TIME`), never a node's: clocks of nodes may differ.

| key | type | holds | expires |
|---|---|---|---|
| {F}:nodes | zset | node id -> ms at which it counts as dead | members: NODE_MS after a beat |
| {F}:node:ID | hash | url, device, models, slots, load, draining | NODE_MS after a beat |
| {F}:moved | string | when nodes came, went or began to drain last (s.us) | never |
| {F}:leases:ID | zset | session id -> ms at which its place is free again | members and key: LEASE_MS |
| {F}:ranks:ID | zset | session id -> the rank of its place (fair.py) | the same |
| {F}:tenant:T | zset | session id -> the same | members and key: LEASE_MS |
| {F}:session:ID | hash | node, tenant, tier, url, since (ms) | LEASE_MS after a beat |
| {F}:use | hash | tenant -> average of its places, when (ms), its places then | members: once forgotten |
| {F}:lasted | list | ms that the last 64 sessions lasted | never |
| {F}:waiters | zset | ticket -> ms at which nobody waits with it any more | members: WAITER_MS |
| {F}:waiting | hash | ticket -> tenant, tier, since (ms), model | with its member of waiters |
| {F}:seconds:T:DAY | string | seconds that a tenant's sessions lasted on a day | SECONDS_S after it grew |
| {F}:journal:ID | stream | what a session wants, encrypted; newest last | JOURNAL_S after the last entry |
| {F}:vectors:T:SPACE | vector set | moment id and side -> vector, attributes to filter by; one a tenant | never |
| {F}:vectors:T:SPACE:ft=M/SIDE | hash | the same where the server has FT.*; one index a tenant | never |
| {F}:moments:T:SPACE | hash | moment id -> what is known of it (JSON) | never |
| {F}:word:T:SPACE:W | set | ids of moments that hold a word | never |
"""

from __future__ import annotations

from dataclasses import dataclass

NODE_MS = 4_000  # a node that is silent for so long is dead
BEAT_S = 1.0
LEASE_MS = 10_000  # a session whose node is silent for so long has no place
WAITER_MS = 5_000  # one who waits and does not say so for so long has gone
SECONDS_S = 172_800
JOURNAL_S = 600  # a client may come back for so long
JOURNAL_ENTRIES = 8  # of one session


@dataclass(frozen=True, slots=True)
class Keys:
    """Of one fleet."""

    fleet: str

    @property
    def prefix(self) -> str:
        return f"reverie:{{{self.fleet}}}:"

    @property
    def nodes(self) -> str:
        return f"{self.prefix}nodes"

    def node(self, node_id: str) -> str:
        return f"{self.prefix}node:{node_id}"

    def leases(self, node_id: str) -> str:
        return f"{self.prefix}leases:{node_id}"

    def tenant(self, tenant: str) -> str:
        return f"{self.prefix}tenant:{tenant}"

    def session(self, session_id: str) -> str:
        return f"{self.prefix}session:{session_id}"

    def seconds(self, tenant: str, day: str) -> str:
        return f"{self.prefix}seconds:{tenant}:{day}"

    def journal(self, session_id: str) -> str:
        return f"{self.prefix}journal:{session_id}"

    def vectors(self, tenant: str, space: str) -> str:
        return f"{self.prefix}vectors:{tenant}:{space}"

    def moments(self, tenant: str, space: str) -> str:
        return f"{self.prefix}moments:{tenant}:{space}"

    def word(self, tenant: str, space: str, word: str) -> str:
        return f"{self.prefix}word:{tenant}:{space}:{word}"
