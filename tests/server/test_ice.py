"""TURN credentials and Link headers; a real coturn takes them in tests/server/test_gathering.py."""

from reverie.server.ice import LIFETIME_S, IceServer, ice_servers, password
from reverie.server.settings import Settings


def test_credentials_are_made_from_the_secret_and_expire() -> None:
    settings = Settings(ice_servers=("stun:a:3478", "turn:b:3478?transport=udp"), turn_secret="north")
    stun, turn = ice_servers(settings, now=1000.5)
    assert stun == IceServer("stun:a:3478")
    assert turn.username == f"{1000 + LIFETIME_S}:reverie"
    assert turn.credential == password("north", turn.username)
    # The same by another program: printf 1700000000:reverie | openssl dgst -sha1 -hmac north -binary | base64
    assert password("north", "1700000000:reverie") == "/IOpoWHRBXjx/jr8krMwyz2Wzuk="


def test_a_fixed_user_and_no_servers_by_default() -> None:
    (turn,) = ice_servers(Settings(ice_servers=("turn:b",), turn_user="u", turn_password="p"))
    assert (turn.username, turn.credential) == ("u", "p")
    assert ice_servers(Settings()) == []


def test_links_are_as_obs_reads_them() -> None:
    assert IceServer("stun:a:3478").link() == '<stun:a:3478>; rel="ice-server"'
    link = IceServer("turn:b?transport=udp", "u", "p").link()
    assert link == '<turn:b?transport=udp>; rel="ice-server"; username="u"; credential="p"; credential-type="password"'
