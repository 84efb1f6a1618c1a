"""Is a kubeconfig data to us, and nothing but data?"""

import base64

import pytest

from accounts.kube.config import ConfigRefused, parse
from spotopt.local.kube.server import Cluster
from tests.fakes.kube import TOKEN, Reached, in_base64, self_signed

CERTIFICATE, KEY = self_signed()
THERE = Reached(Cluster(), "https://203.0.113.7:6443", CERTIFICATE)


def test_server_authority_and_token_are_taken():
    access = parse(THERE.kubeconfig())
    assert (access.server, access.token) == ("https://203.0.113.7:6443", TOKEN)
    assert access.authority_pem == CERTIFICATE


def test_a_client_certificate_is_taken_as_data():
    user = {"client-certificate-data": in_base64(CERTIFICATE), "client-key-data": in_base64(KEY)}
    access = parse(THERE.kubeconfig(user=user))
    assert (access.certificate_pem, access.key_pem, access.token) == (CERTIFICATE, KEY, None)


def test_no_secret_shows_in_its_repr():
    assert TOKEN not in repr(parse(THERE.kubeconfig()))


@pytest.mark.parametrize(
    "user, word",
    [
        ({"exec": {"command": "aws"}}, "runs a command"),
        ({"token": "t", "exec": {"command": "aws"}}, "runs a command"),
        ({"auth-provider": {"name": "gcp"}}, "runs a command"),
        ({"tokenFile": "/var/run/secrets/token"}, "reads a file"),
        ({"client-certificate": "/a.pem", "client-key": "/b.pem"}, "reads a file"),
        ({"token": "t", "as": "system:admin"}, "another's name"),
        ({"token": "t", "as-groups": ["system:masters"]}, "another's name"),
        ({"username": "u", "password": "p"}, "token"),
        ({"token": "t", "surprise": 1}, "surprise"),
        ({}, "neither a token nor"),
    ],
)
def test_a_user_who_is_more_than_data_is_refused_by_name(user, word):
    with pytest.raises(ConfigRefused, match=word):
        parse(THERE.kubeconfig(user=user))


@pytest.mark.parametrize(
    "cluster, word",
    [
        ({"certificate-authority": "/ca.pem"}, "reads a file"),
        ({"insecure-skip-tls-verify": True}, "anybody could answer"),
        ({"proxy-url": "http://elsewhere"}, "somebody else"),
        ({"server": "http://203.0.113.7"}, "https"),
        ({"server": "https://u:p@203.0.113.7"}, "without user"),
        ({"server": "file:///etc/passwd"}, "https"),
        ({"certificate-authority-data": "not base64!"}, "base64"),
        ({"certificate-authority-data": base64.b64encode(b"\xff\xfe").decode()}, "PEM"),
    ],
)
def test_a_cluster_that_is_more_than_data_is_refused_by_name(cluster, word):
    with pytest.raises(ConfigRefused, match=word):
        parse(THERE.kubeconfig(**cluster))


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "kind: Config", "!!python/object/apply:os.system ['true']", "x" * 300_000]
)
def test_what_is_no_kubeconfig_is_refused_in_a_sentence(text):
    with pytest.raises(ConfigRefused, match="kubeconfig"):
        parse(text)


def test_a_context_that_is_not_there_is_named():
    with pytest.raises(ConfigRefused, match="'elsewhere'"):
        parse(THERE.kubeconfig(), context="elsewhere")
