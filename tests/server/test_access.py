"""Keys to tenants."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from reverie.server.access import LOCAL, Access, Tenant, new_key, parse
from reverie.server.client_tokens import SHORT, Grant
from reverie.server.errors import Unauthorized
from reverie.server.settings import Settings


def access(tmp_path: Path, *lines: str) -> Access:
    keys = tmp_path / "keys"
    keys.write_text("\n".join(lines))
    return Access(Settings(api_keys_file=str(keys), data=str(tmp_path)))


def test_without_a_file_everybody_is_local(tmp_path: Path) -> None:
    open_to_all = Access(Settings(data=str(tmp_path)))
    assert open_to_all.caller("").tenant is LOCAL
    assert open_to_all.caller("dct_anything").tenant is LOCAL


def test_a_key_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    key, line = new_key("studio")
    assert key not in line
    guarded = access(tmp_path, "# the studio", f"{line} sessions=2 tier=priority minutes=90 fps=10")
    assert guarded.caller(key).tenant == Tenant("studio", 2, "priority", 90, 10)
    for wrong in ("", "rv_wrong", key[:-1], hashlib.sha256(key.encode()).hexdigest(), "x" * 10_000):
        with pytest.raises(Unauthorized, match="Invalid API key") as refusal:
            guarded.caller(wrong)
        assert not wrong or wrong not in str(refusal.value)


def test_a_key_that_is_taken_out_of_the_file_ends_at_once_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    (key, line), (other, second) = new_key("a"), new_key("b")
    guarded = access(tmp_path, line, second)
    (tmp_path / "keys").write_text(second)
    with pytest.raises(Unauthorized):
        guarded.caller(key)
    (tmp_path / "keys").write_text("nonsense")
    assert guarded.caller(other).tenant.name == "b"
    (tmp_path / "keys").unlink()
    assert guarded.caller(other).tenant.name == "b"


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a b",
        f"a/b {'0' * 64}",
        f"a {'0' * 64} sessions=0",
        f"a {'0' * 64} tier=best",
        f"a {'0' * 64} x",
        f"a {'0' * 64} fps=1",
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse(f"# keys\n{line}\n")
    with pytest.raises(ValueError, match="keys file"):
        access(tmp_path, "#", line)


def test_a_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Access(Settings(api_keys_file=str(tmp_path / "none"), data=str(tmp_path)))


def test_client_tokens_carry_their_limits_and_their_tenant(tmp_path: Path) -> None:
    key, line = new_key("studio")
    guarded = access(tmp_path, line)
    grant = Grant("studio", ("nano",), ("https://me.example",), 30, guarded.caller(key).credential[:SHORT])
    token, _ = guarded.signer.sign(grant, 60)
    caller = guarded.caller(f"ek_{token}", "https://me.example")
    assert (caller.tenant.name, caller.grant) == ("studio", grant)
    assert guarded.caller(token).grant == grant  # no origin: not a browser
    caller.may_use("lucy", "nano")
    with pytest.raises(Unauthorized, match=r"permission denied.*'lucy'"):
        caller.may_use("lucy")
    with pytest.raises(Unauthorized, match=r"permission denied.*evil\.example"):
        guarded.caller(token, "https://evil.example")
    (tmp_path / "keys").write_text(new_key("studio")[1])  # its key was taken back, the tenant has another
    with pytest.raises(Unauthorized, match="no longer known"):
        guarded.caller(token)


def test_the_command_writes_a_line_and_shows_the_key_once(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    command = [sys.executable, "-m", "reverie.server", "key", "studio"]
    done = subprocess.run(command, capture_output=True, text=True, env={"REVERIE_API_KEYS_FILE": str(path)}, check=True)
    key = done.stdout.split()[0]
    assert key not in path.read_text()
    guarded = Access(Settings(api_keys_file=str(path), data=str(tmp_path)))
    assert guarded.caller(key).tenant.name == "studio"
    bad = subprocess.run([*command[:-1], "no spaces"], capture_output=True, text=True, env={})
    assert bad.returncode == 2 and "tenant" in bad.stderr
