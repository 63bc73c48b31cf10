"""Secrets are removed from what a report holds, whatever their form; other text is not changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.scrub import scrub

SECRET = "8f246b77-f3e1-ff88-5b48-8ec93abf3e05"
SHAPES = {
    "JSON": json.dumps({"token": SECRET}),
    "JSON, among others": json.dumps({"a": 1, "acl_token": SECRET, "b": 2}),
    "JSON, nested and indented": json.dumps({"acl": {"tokens": {"agent_token": SECRET}}}, indent=1),
    "JSON in JSON": json.dumps({"body": json.dumps({"token": SECRET, "x": 1})}),
    "a quote in it": json.dumps({"password": f'a"b{SECRET}'}),
    "Python": repr({"X-Consul-Token": SECRET}),
    "YAML": f"consul:\n  token: {SECRET}\n  port: 8500",
    "HCL": f'encrypt = "{SECRET}"',
    "environment": f"CONSUL_HTTP_TOKEN={SECRET} CONSUL_HTTP_ADDR=x",
    "query": f"GET /v1/catalog/services?dc=dc1&token={SECRET}&stale",
    "option": f"consul members -token {SECRET} -wan",
    "option with =": f"consul members -token={SECRET} -wan",
    "long option": f"mysql --password {SECRET}",
    "consul acl": f"AccessorID:       1234\nSecretID:         {SECRET}\nLocal: false",
    "nomad acl": f"Accessor ID  = 1234\nSecret ID    = {SECRET}\nType = client",
    "header": f"Host: u1\nX-Consul-Token: {SECRET}\nAccept: */*",
    "authorization": f"GET / HTTP/1.1\r\nAuthorization: Bearer {SECRET}\r\nHost: u1",
    "basic authorization": f"authorization: Basic {SECRET}==",
    "curl": f"curl -H 'Authorization: Bearer {SECRET}' http://u1:8500/",
    "header in JSON": json.dumps({"Authorization": f"Bearer {SECRET}"}),
    "cookie": f"Set-Cookie: session={SECRET}; Path=/",
    "URL": f"https://jane:{SECRET}@registry.example/v2/",
    "URL without user": f"redis://:{SECRET}@10.32.0.1:6379/0",
    "Docker's config": json.dumps({"auths": {"registry.example": {"auth": SECRET}}}),
    "AWS": f"aws_secret_access_key = {SECRET}",
    "private key in JSON": json.dumps({"private_key": SECRET}),
    **{
        f"{kind} block": f"x\n-----BEGIN {kind}-----\n{SECRET}\n{SECRET}\n-----END {kind}-----\ny"
        for kind in ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
    },
    "PGP block": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{SECRET}\n-----END PGP PRIVATE KEY BLOCK-----",
    "block in JSON": json.dumps({"key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"}),
    "block that is cut off": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_secret_is_left_in(shape: str) -> None:
    text = scrub(SHAPES[shape])
    assert SECRET not in text and "[removed]" in text
    assert scrub(text).count("[removed]") == text.count("[removed]")


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "ABCDEFGH" * 2,
        "hvs." + "CAESIJ" * 5,
        "ghp_" + "abcde12345" * 3,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl",
    ],
)
def test_a_secret_is_recognized_by_its_shape(secret: str) -> None:
    assert scrub(f"said {secret}, and more") == "said [removed], and more"


def test_the_text_around_a_secret_stays() -> None:
    assert scrub(SHAPES["JSON, among others"]) == '{"a": 1, "acl_token": [removed], "b": 2}'
    assert scrub(SHAPES["query"]) == "GET /v1/catalog/services?dc=dc1&token=[removed]&stale"
    assert scrub(SHAPES["option"]) == "consul members -token [removed] -wan"
    assert scrub(SHAPES["URL"]) == "https://jane:[removed]@registry.example/v2/"
    assert scrub(SHAPES["consul acl"]).splitlines() == [
        "AccessorID:       1234",
        "SecretID:         [removed]",
        "Local: false",
    ]
    text = scrub(SHAPES["authorization"])
    assert text.startswith("GET / HTTP/1.1\r\n") and text.endswith("Host: u1")


@pytest.mark.parametrize(
    "text",
    [
        "u1/a1->u2/a2-udp: delivered, u2/a2 received it and did not answer",
        "10.32.0.0/24 dev weave proto kernel scope link src 10.32.0.1",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "http://10.32.0.1:8081/version and ssh://root@u1:22",
        "iptables -A INPUT -p udp --dport 4789 -j DROP",
        '{"author": "jane", "tokenizer": "none", "secretary": "joe"}',
        "the author: nobody",
        "",
    ],
)
def test_what_is_not_a_secret_stays(text: str) -> None:
    assert scrub(text) == text


@given(st.text())
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)
