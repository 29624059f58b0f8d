"""The certificate of a server in a local network: the operator's own, or one that is made here and kept.

Browsers show the camera to https pages only.  A certificate of our own names every address of the machine; it is
trusted by nobody, so a browser warns once, and its fingerprint is printed to compare.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 397  # Apple refuses server certificates that are valid for longer than 398
RENEW = timedelta(days=14)  # before the end


@dataclass(frozen=True, slots=True)
class Certificate:
    cert: Path  # PEM, with what signed it
    key: Path
    made_here: bool

    @property
    def fingerprint(self) -> str:
        """SHA-256 as browsers show it."""
        return self._read().fingerprint(hashes.SHA256()).hex(":").upper()

    def names(self) -> list[str]:
        """Host names that it is for, wildcards left out."""
        try:
            there = self._read().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return []
        return [name for name in there.get_values_for_type(x509.DNSName) if "*" not in name]

    def _read(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.cert.read_bytes())


def own(cert: str, key: str) -> Certificate:
    """The operator's.  Raises ValueError that names the file."""
    if not cert or not key:
        raise ValueError("TLS needs both files: --tls-cert and --tls-key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or getattr(error, "reason", None) or error
        raise ValueError(f"the certificate {cert} with the key {key} cannot be used: {reason}") from None
    return Certificate(Path(cert), Path(key), False)


def kept(folder: Path, hosts: Sequence[str]) -> Certificate:
    """The one in `folder`, made anew when it ends soon or lacks one of the `hosts` (names or addresses)."""
    found = Certificate(folder / "cert.pem", folder / "key.pem", True)
    if not _fits(found, hosts):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key, cert = make(hosts)
        found.key.unlink(missing_ok=True)
        found.key.touch(0o600)
        found.key.write_bytes(key)
        found.cert.write_bytes(cert)
    return found


def make(hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """A new P-256 key and a certificate signed with it, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Reverie")])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_named(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *form), cert.public_bytes(serialization.Encoding.PEM)


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _fits(found: Certificate, hosts: Sequence[str]) -> bool:
    try:
        own(str(found.cert), str(found.key))
        cert = x509.load_pem_x509_certificate(found.cert.read_bytes())
        there = set(cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return cert.not_valid_after_utc > datetime.now(UTC) + RENEW and there >= {_named(host) for host in hosts}
