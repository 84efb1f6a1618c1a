"""A cluster that answers over TLS as real ones do, with the kubeconfig that leads to it."""

from __future__ import annotations

import base64
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from spotopt.local.kube.server import Cluster, KubeServer, User

TOKEN = "a-token-that-may-everything"


@dataclass
class Reached:
    """A running cluster and the way to it."""

    cluster: Cluster
    url: str
    authority: str  # PEM

    def kubeconfig(self, *, user: dict[str, Any] | None = None, **cluster: Any) -> str:
        of_cluster = {"server": self.url, "certificate-authority-data": in_base64(self.authority), **cluster}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": of_cluster}],
                "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
            }
        )


@contextmanager
def reached(cluster: Cluster, folder: Path) -> Iterator[Reached]:
    """The cluster behind TLS on 127.0.0.1; `TOKEN` may do everything there."""
    certificate, key = self_signed()
    (folder / "tls.pem").write_text(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "tls.pem")
    cluster.users.setdefault(TOKEN, User("admin"))
    with KubeServer(cluster, tls=tls) as server:
        yield Reached(cluster, server.url, certificate)


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def self_signed() -> tuple[str, str]:
    """A certificate for 127.0.0.1 that is its own authority, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test cluster")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(serialization.Encoding.PEM, *plain).decode(),
    )
