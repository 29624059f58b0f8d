"""Chat and channel points of a Twitch channel with a token: EventSub over WebSocket, subscribed to over Helix.

The token needs `user:read:chat`, and `channel:read:redemptions` (of the channel's owner) for channel points.
Source: dev.twitch.tv, EventSub WebSockets and subscription types; read, and tried against a fake server of ours only.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from websockets.asyncio.client import connect

from reverie.client.wishes import Line

CHAT, POINTS = "channel.chat.message", "channel.channel_points_custom_reward_redemption.add"
TIMEOUT_S, LATE_S = 10.0, 5.0  # of a request; over the keepalive that a server promises
REMEMBERED = 200  # ids of messages: Twitch may send one twice


class Refused(Exception):
    """Twitch does not take the token; trying again does not help."""


@dataclass(frozen=True, slots=True)
class Twitch:
    """Where its services are; tests have their own."""

    events: str = "wss://eventsub.wss.twitch.tv/ws"
    helix: str = "https://api.twitch.tv/helix"
    validate: str = "https://id.twitch.tv/oauth2/validate"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose a token is."""

    token: str
    client_id: str
    user_id: str
    scopes: tuple[str, ...]

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Client-Id": self.client_id,
            "Content-Type": "application/json",
        }


async def events(channel: str, token: str, reward: str = "", where: Twitch | None = None) -> AsyncIterator[Line]:
    """What viewers write in chat, and with a reward of channel points, until the connection ends.

    Args: reward: its title or id; "" takes none.
    Raises: Refused; OSError, WebSocketException.
    """
    at = where or Twitch()
    account = await asyncio.to_thread(_account, at, token)
    url, begun = at.events, False
    seen: deque[str] = deque(maxlen=REMEMBERED)
    while True:
        async with connect(url, open_timeout=TIMEOUT_S) as socket:
            patience_s, moved = TIMEOUT_S, ""
            while not moved:
                try:
                    message = json.loads(await asyncio.wait_for(socket.recv(), patience_s))
                except TimeoutError:
                    raise ConnectionError(f"Twitch has said nothing for {patience_s:.0f} s") from None
                kind, payload = message["metadata"]["message_type"], message["payload"]
                if message["metadata"]["message_id"] in seen:
                    continue
                seen.append(message["metadata"]["message_id"])
                if kind == "session_welcome":
                    patience_s = (payload["session"]["keepalive_timeout_seconds"] or TIMEOUT_S) + LATE_S
                    if not begun:  # after a move the subscriptions have moved as well
                        await asyncio.to_thread(_subscribe, at, account, channel, payload["session"]["id"], reward)
                        begun = True
                elif kind == "session_reconnect":
                    moved = payload["session"]["reconnect_url"]
                elif kind == "revocation":
                    raise Refused(
                        f"Twitch ended {payload['subscription']['type']}: {payload['subscription']['status']}"
                    )
                elif kind == "notification" and (line := line_of(payload, reward)) is not None:
                    yield line
            url = moved


def line_of(payload: dict[str, Any], reward: str) -> Line | None:
    """A notification as a line; None if it is about something else."""
    kind, event = payload["subscription"]["type"], payload["event"]
    if kind == CHAT:
        badges = {badge.get("set_id") for badge in event.get("badges", ())}
        return Line(
            event["chatter_user_login"].lower(), event["message"]["text"], bool(badges & {"moderator", "broadcaster"})
        )
    if kind == POINTS and reward in (event["reward"]["id"], event["reward"]["title"]):
        return Line(event["user_login"].lower(), event.get("user_input", ""), False, paid=True)
    return None


def _account(at: Twitch, token: str) -> Account:
    told = _ask(Request(at.validate, headers={"Authorization": f"OAuth {token}"}))
    return Account(token, told["client_id"], told["user_id"], tuple(told.get("scopes") or ()))


def _subscribe(at: Twitch, account: Account, channel: str, session: str, reward: str) -> None:
    query = urlencode({"login": channel.lower().lstrip("#")})
    users = _ask(Request(f"{at.helix}/users?{query}", headers=account.headers()))["data"]
    if not users:
        raise Refused(f"Twitch knows no channel {channel}")
    wanted = [(CHAT, "user:read:chat", {"user_id": account.user_id})]
    if reward:
        wanted.append((POINTS, "channel:read:redemptions", {}))
    for kind, scope, more in wanted:
        if scope not in account.scopes:
            raise Refused(f"the token lacks the scope {scope}; it has {', '.join(account.scopes) or 'none'}")
        body = {
            "type": kind, "version": "1", "condition": {"broadcaster_user_id": users[0]["id"], **more},
            "transport": {"method": "websocket", "session_id": session},
        }  # fmt: skip
        _ask(Request(f"{at.helix}/eventsub/subscriptions", json.dumps(body).encode(), account.headers(), method="POST"))


def _ask(request: Request) -> dict[str, Any]:
    """Raises: Refused; OSError."""
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:
            return dict(json.load(answer))
    except HTTPError as refusal:
        with refusal:
            words = refusal.read(500).decode(errors="replace")
        if refusal.code in (400, 401, 403, 404):
            raise Refused(f"Twitch answered {refusal.code}: {words}") from None
        raise ConnectionError(f"Twitch answered {refusal.code}") from None
    except URLError as error:
        raise ConnectionError(f"Twitch cannot be reached: {error.reason}") from None
