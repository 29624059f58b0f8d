"""Tokens that another node, or anybody with the public key, can check."""

import os
import time
from pathlib import Path

import jwt
import pytest

from reverie.server.client_tokens import ISSUER, Grant, Signer
from reverie.server.errors import Unauthorized

GRANT = Grant("studio", ("nano",), None, 30, "0" * 16)


def test_a_token_can_be_checked_with_the_published_key_alone(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "key.pem")
    token, expires = signer.sign(GRANT, 60, {"role": "viewer"})
    public = jwt.PyJWK.from_dict(signer.jwk)
    claims = jwt.decode(token, public, ["EdDSA"], audience=ISSUER, issuer=ISSUER)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": signer.jwk["kid"], "typ": "JWT"}
    assert (claims["sub"], claims["models"], claims["metadata"]) == ("studio", ["nano"], {"role": "viewer"})
    assert claims["constraints"] == {"realtime": {"maxSessionDuration": 30}}
    assert claims["exp"] == expires and abs(expires - time.time() - 60) < 3


def test_nodes_that_share_the_file_know_each_others_tokens_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    one, two = Signer(tmp_path / "key.pem"), Signer(tmp_path / "key.pem")
    assert two.read(one.sign(GRANT, 60)[0]) == GRANT
    assert os.stat(tmp_path / "key.pem").st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "key.pem"]
    with pytest.raises(Unauthorized, match="not one of this server's"):
        Signer(tmp_path / "other.pem").read(one.sign(GRANT, 60)[0])


def test_expired_foreign_and_unsigned_tokens_are_refused(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "key.pem")
    with pytest.raises(Unauthorized, match="expired"):
        signer.read(signer.sign(GRANT, -1)[0])
    claims = {"sub": "studio", "aud": ISSUER, "iss": ISSUER, "exp": int(time.time()) + 60}
    for forged in (jwt.encode(claims, "x" * 32, "HS256"), jwt.encode(claims, None, "none"), "a.b.c", "..", "é.é.é"):
        with pytest.raises(Unauthorized, match="Invalid API key"):
            signer.read(forged)
