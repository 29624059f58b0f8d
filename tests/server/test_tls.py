"""A certificate of one's own that is kept, and the operator's."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from reverie.server import tls

HOSTS = ["127.0.0.1", "192.0.2.7", "studio.local"]


def test_a_certificate_is_made_once_kept_private_and_names_every_host(tmp_path: Path) -> None:
    made = tls.kept(tmp_path / "tls", HOSTS)
    assert made.key.stat().st_mode & 0o777 == 0o600
    again = tls.kept(tmp_path / "tls", HOSTS[:2])
    assert again == made and again.fingerprint == made.fingerprint and len(made.fingerprint) == 95
    assert made.names() == ["studio.local"]
    context = ssl.create_default_context(cafile=str(made.cert))
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_new_address_a_near_end_or_a_broken_file_make_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prints = {tls.kept(tmp_path, HOSTS).fingerprint}
    prints.add(tls.kept(tmp_path, [*HOSTS, "198.51.100.1"]).fingerprint)
    (tmp_path / "key.pem").write_text("broken")
    prints.add(tls.kept(tmp_path, HOSTS).fingerprint)
    monkeypatch.setattr(tls, "RENEW", tls.timedelta(days=tls.DAYS + 1))
    prints.add(tls.kept(tmp_path, HOSTS).fingerprint)
    assert len(prints) == 4


def test_a_handshake_verifies_it_also_by_the_strict_rules(tmp_path: Path) -> None:
    made = tls.kept(tmp_path, HOSTS)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(made.cert, made.key)
    context = ssl.create_default_context(cafile=str(made.cert))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for host, fits in (("192.0.2.7", True), ("studio.local", True), ("192.0.2.8", False)):
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(to_client, to_server, server_hostname=host)
        server = server_side.wrap_bio(to_server, to_client, server_side=True)
        assert _shaken(client, server) is fits


def _shaken(client: ssl.SSLObject, server: ssl.SSLObject) -> bool:
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return client.version() is not None


def test_the_operators_own_needs_both_files_that_fit(tmp_path: Path) -> None:
    one, other = tls.kept(tmp_path / "a", HOSTS), tls.kept(tmp_path / "b", HOSTS)
    assert not tls.own(str(one.cert), str(one.key)).made_here
    for cert, key, words in (
        (str(one.cert), "", "both files"), (str(one.cert), str(other.key), str(other.key)),
        (str(tmp_path / "none.pem"), str(one.key), "none.pem"), (str(one.key), str(one.key), "cannot be used"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            tls.own(cert, key)


def test_what_is_named_are_addresses_and_names() -> None:
    _, pem = tls.make(HOSTS)
    there = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(there.get_values_for_type(x509.IPAddress)) == 2
