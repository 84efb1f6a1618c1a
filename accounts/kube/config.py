"""What may a kubeconfig say? A server, its authority, and who we are. Never a command, a path, or another way around.

A kubeconfig is code to the usual loader: `exec` and `auth-provider` run commands, paths read our files, a proxy or a
skipped check sends the token anywhere. So it is read here, and everything that is not plain data is refused by name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

LONGEST = 256 * 1024  # bytes; real ones have a few thousand
CLUSTER_WORDS = {"server", "certificate-authority-data", "tls-server-name", "extensions"}
USER_WORDS = {"token", "client-certificate-data", "client-key-data", "extensions"}
WHY_NOT = {
    "exec": "it runs a command",
    "auth-provider": "it runs a command",
    "certificate-authority": "it reads a file of this machine; use certificate-authority-data",
    "client-certificate": "it reads a file of this machine; use client-certificate-data",
    "client-key": "it reads a file of this machine; use client-key-data",
    "tokenFile": "it reads a file of this machine; use token",
    "proxy-url": "it sends the token through somebody else",
    "insecure-skip-tls-verify": "anybody could answer",
    "as": "it acts in another's name",
    "as-uid": "it acts in another's name",
    "as-groups": "it acts in another's name",
    "as-user-extra": "it acts in another's name",
    "username": "the API server takes no passwords since 1.19; use a token",
    "password": "the API server takes no passwords since 1.19; use a token",
}


class ConfigRefused(ValueError):
    """A kubeconfig that we do not take; the message says what to change."""


@dataclass(frozen=True, slots=True)
class KubeAccess:
    """Where a cluster is, and who we are there. Secrets do not show in its repr."""

    server: str
    authority_pem: str
    token: str | None = None
    certificate_pem: str | None = None
    key_pem: str | None = None

    def __repr__(self) -> str:
        return f"KubeAccess({self.server})"


def parse(text: str, context: str = "") -> KubeAccess:
    """The access that a context names, the current one by default. Raises ConfigRefused."""
    if len(text.encode()) > LONGEST:
        raise ConfigRefused(f"The kubeconfig has more than {LONGEST // 1024} KiB.")
    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        raise ConfigRefused(f"The kubeconfig is no YAML: {str(wrong).splitlines()[0]}") from wrong
    if not isinstance(whole, dict):
        raise ConfigRefused("The kubeconfig is empty, or no mapping.")
    name = context or whole.get("current-context") or ""
    chosen = _named(whole, "contexts", name, "context")
    cluster = _named(whole, "clusters", chosen.get("cluster", ""), "cluster")
    user = _named(whole, "users", chosen.get("user", ""), "user")
    _only(cluster, CLUSTER_WORDS, "cluster")
    _only(user, USER_WORDS, "user")
    return _access(cluster, user)


def _access(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> KubeAccess:
    server = str(cluster.get("server", ""))
    parts = urlsplit(server)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigRefused(f"The server must be an https address without user, query or fragment, not {server!r}.")
    if "certificate-authority-data" not in cluster:
        raise ConfigRefused(
            "The cluster lacks certificate-authority-data: nothing proves that the server is the right one."
        )
    certificate, key = user.get("client-certificate-data"), user.get("client-key-data")
    if not user.get("token") and not (certificate and key):
        raise ConfigRefused("The user has neither a token nor client-certificate-data with client-key-data.")
    return KubeAccess(
        server=server.rstrip("/"),
        authority_pem=_decoded(cluster["certificate-authority-data"], "certificate-authority-data"),
        token=str(user["token"]) if user.get("token") else None,
        certificate_pem=_decoded(certificate, "client-certificate-data") if certificate else None,
        key_pem=_decoded(key, "client-key-data") if key else None,
    )


def _named(whole: Mapping[str, Any], part: str, name: str, word: str) -> Mapping[str, Any]:
    entries = whole.get(part)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(word), dict):
            found: Mapping[str, Any] = entry[word]
            return found
    raise ConfigRefused(f"The kubeconfig has no {word} named {name!r}.")


def _only(entry: Mapping[str, Any], words: set[str], what: str) -> None:
    for word in entry:
        if word not in words:
            raise ConfigRefused(
                f"The {what} says {word!r}, which is not taken: {WHY_NOT.get(word, 'it is not known here')}."
            )


def _decoded(value: Any, word: str) -> str:
    try:
        text = base64.b64decode(str(value), validate=True).decode("ascii")
    except (binascii.Error, ValueError) as wrong:
        raise ConfigRefused(f"{word} is not base64 of a PEM text.") from wrong
    if "-----BEGIN " not in text:
        raise ConfigRefused(f"{word} is not base64 of a PEM text.")
    return text
