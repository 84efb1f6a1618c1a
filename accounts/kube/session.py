"""How do we get into a cluster? A client of the official library, made from data alone."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from typing import Any

import urllib3
from kubernetes.client import ApiClient, Configuration

from accounts.aws.client import AwsSession
from accounts.kube.config import KubeAccess

CONNECT_SECONDS, READ_SECONDS = 3, 20
TOKEN_SECONDS = 60  # what the signature says; EKS takes it for 15 minutes. It is made anew for each client
TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 (a prefix that everybody knows)


def eks_token(session: AwsSession, cluster: str) -> str:
    """A token signed by the account's role: a GetCallerIdentity that the cluster sends on our behalf.

    Source: EKS guide, "Connect kubectl to an EKS cluster"; aws-iam-authenticator, "API authorization from outside".
    """
    sts = session.client("sts")

    def name_the_cluster(request: Any, **_: Any) -> None:
        request.headers["x-k8s-aws-id"] = cluster

    event = "before-sign.sts.GetCallerIdentity"
    sts.meta.events.register(event, name_the_cluster, unique_id=f"eks-{cluster}")
    try:
        address = sts.generate_presigned_url("get_caller_identity", ExpiresIn=TOKEN_SECONDS, HttpMethod="GET")
    finally:
        sts.meta.events.unregister(event, name_the_cluster, unique_id=f"eks-{cluster}")
    return TOKEN_PREFIX + base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


def client_for(access: KubeAccess, *, proxy: str | None = None) -> ApiClient:
    """A client that trusts this cluster's authority alone, follows nothing and repeats nothing.

    `proxy` is our own way out, never the kubeconfig's. Close it after use.
    """
    configuration = Configuration()
    configuration.host = access.server
    if access.token:
        configuration.api_key = {"authorization": f"Bearer {access.token}"}
    client = ApiClient(configuration)
    client.rest_client.pool_manager = _connections(access, proxy)
    return client


def _connections(access: KubeAccess, proxy: str | None) -> urllib3.PoolManager:
    how: dict[str, Any] = {
        "retries": False,  # urllib3 would repeat a refused GET by itself: we count our own tries
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        "ssl_context": _trusting(access),
        "maxsize": 2,
    }
    return urllib3.ProxyManager(proxy, **how) if proxy else urllib3.PoolManager(**how)


def _trusting(access: KubeAccess) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.authority_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if access.certificate_pem and access.key_pem:
        # OpenSSL reads keys from files only: one that nobody else may read, gone before this returns
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            os.chmod(file.name, 0o600)
            file.write(f"{access.certificate_pem}\n{access.key_pem}\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context
