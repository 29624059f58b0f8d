"""Settings: defaults, variables, flags, in this order."""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from reverie.server.settings import Settings, for_programs, from_environment, prepare_ray

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_flags_win_over_variables_and_variables_over_defaults() -> None:
    environment = {
        "REVERIE_PORT": "9000",
        "REVERIE_HOST": "::1",
        "REVERIE_ORIGINS": "https://a.example, https://b.example",
    }
    settings = from_environment(environment, port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "::1")
    assert settings.origins == ("https://a.example", "https://b.example")
    assert from_environment({}) == Settings()


def test_this_machine_only_by_default() -> None:
    assert Settings().host == "127.0.0.1"
    assert Settings().hosts == Settings().origins == Settings().ice_servers == ()


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"REVERIE_PORT": "x"}, "REVERIE_PORT must be a whole number, got 'x'"),
        ({"REVERIE_PORT": "70000"}, "port must be 0 to 65535, got 70000"),
        ({"REVERIE_MAX_SESSIONS": "0"}, "max_sessions must be 1"),
        ({"REVERIE_RENDER": "500x288"}, "render needs multiples of 16 .* got 500x288"),
        ({"REVERIE_DEVICE": "abacus"}, "device must be one of"),
        ({"REVERIE_UDP_PORTS": "5000"}, "udp_ports must be FIRST-LAST within 1024 to 65535, got '5000'"),
        ({"REVERIE_UDP_PORTS": "6000-5000"}, "udp_ports must be FIRST-LAST"),
        ({"REVERIE_ANNOUNCE": "example.org"}, "'example.org' does not appear to be an IPv4 or IPv6 address"),
        ({"REVERIE_ICE_SERVERS": "http://a"}, "ice_servers has 'http://a'; it takes stun:HOST:PORT"),
        ({"REVERIE_RELAY_ONLY": "1"}, "relay_only needs a TURN server"),
        ({"REVERIE_RELAY_ONLY": "perhaps"}, "REVERIE_RELAY_ONLY must be 1 or 0, got 'perhaps'"),
    ],
)
def test_a_bad_value_is_named(environment: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        from_environment(environment)


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    lines = [line.lstrip("# ") for line in EXAMPLE.read_text().splitlines() if "=" in line]
    listed = dict(line.split("=", 1) for line in lines if line.startswith("REVERIE_"))
    assert set(listed) == {f"REVERIE_{field.name.upper()}" for field in fields(Settings)}
    assert from_environment(listed) == Settings()


def test_what_is_kept_lies_in_the_home_folder_unless_said_otherwise(tmp_path: Path) -> None:
    assert Settings(data=str(tmp_path)).data_folder == tmp_path
    assert Settings().data_folder.is_relative_to(Path.home())


def test_programs_of_others_get_the_environment_without_our_settings() -> None:
    environment = {"PATH": "/bin", "REVERIE_TURN_SECRET": "x", "REDIS_URL": "redis://:secret@h"}
    assert for_programs(environment) == {"PATH": "/bin"}


def test_switches_are_read() -> None:
    assert from_environment({"REVERIE_LAN": "yes"}).lan and not from_environment({"REVERIE_LAN": "0"}).lan
    with pytest.raises(ValueError, match=r"REVERIE_LAN must be 1 or 0, got 'maybe'"):
        from_environment({"REVERIE_LAN": "maybe"})


def test_a_ray_of_our_own_has_a_token_and_tells_nobody_how_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "x")  # put back afterwards
        monkeypatch.delenv(name)
    prepare_ray(local=False)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0" and "RAY_AUTH_TOKEN" not in os.environ
    prepare_ray(local=True)
    assert os.environ["RAY_AUTH_MODE"] == "token" and len(os.environ["RAY_AUTH_TOKEN"]) == 64
