"""What a test fails with holds no secret, and nothing that a terminal would obey."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.existing.containers import nomad_variables
from fixtures.session.secrets import clean_error
from lab.access.shell import CommandFailed, CommandResult
from lab.embedded.keys import write_private
from lab.errors import HarnessError

ROOT = Path(__file__).resolve().parents[3]
CANARY = "8f246b77-f3e1-ff88-5b48-8ec93abf3e05"
KINDS = {
    "Consul's token": f"node u1: Consul refuses (X-Consul-Token: {CANARY})",
    "Nomad's token": f"GET /v1/jobs?token={CANARY} failed",
    "an SSH password": f"sshpass --password {CANARY} ssh u1",
    "a passphrase": f"passphrase: {CANARY}",
    "a private key": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----",
    "a TLS key": f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----",
    "Weave's password": f"export WEAVE_PASSWORD={CANARY}",
    "a swarm's join token": f"docker swarm join --token SWMTKN-1-{CANARY} 10.0.0.1",
    "a swarm's join token alone": f"got SWMTKN-1-{CANARY}",
    "a container's variable": f'"Env": ["DB_PASSWORD={CANARY}"]',
    "the runner's variable": f"environ({{'CONSUL_HTTP_TOKEN': '{CANARY}'}})",
    "credentials in a URL": f"https://jane:{CANARY}@consul.example/v1/kv",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [AssertionError, HarnessError, KeyError, ValueError])
def test_no_secret_stays_in_what_a_test_failed_with(kind: str, error: type[Exception]) -> None:
    made = error(KINDS[kind])
    made.__cause__ = ValueError(KINDS[kind])
    clean_error(made)
    assert CANARY not in f"{made}{made.__cause__}" and "[removed]" in str(made)


def test_no_secret_stays_in_what_a_command_printed() -> None:
    result = CommandResult("u1", "cat /etc/consul.json", 1, f'{{"encrypt": "{CANARY}"}}', "", 0.1)
    made = CommandFailed(result)
    clean_error(made)
    assert CANARY not in str(made) and "cat /etc/consul.json" in str(made)


def test_a_terminal_is_given_no_orders() -> None:
    made = AssertionError("u1 says \x1b]0;owned\x07 and \ud800\nsecond line")
    clean_error(made)
    assert str(made) == "u1 says \\x1b]0;owned\\x07 and \\ud800\nsecond line"
    str(made).encode()


def test_an_error_that_is_its_own_cause_is_cleaned_once() -> None:
    one, other = ValueError("token=abc"), ValueError("b")
    one.__context__, other.__context__ = other, one
    clean_error(one)
    assert "abc" not in str(one)


def test_a_failed_test_shows_no_secret(tmp_path: Path) -> None:
    """By pytest itself, in its output and in JUnit's file."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["fixtures.session.secrets"]\n')
    (tmp_path / "test_x.py").write_text(
        f"import pytest\n\n\ndef test_a():\n    said = 'token={CANARY}'\n    assert said == 1, said\n\n\n"
        f"def test_b():\n    pytest.fail('password: {CANARY}', pytrace=False)\n"
    )
    words = ["-m", "pytest", "-p", "no:cacheprovider", "--junitxml", "junit.xml", "--rootdir", ".", "--tb=line", "."]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    shown = done.stdout + done.stderr + (tmp_path / "junit.xml").read_text()
    messages = [line for line in shown.splitlines() if "said = " not in line and "pytest.fail(" not in line]
    assert done.returncode == 1 and "[removed]" in shown
    assert not [line for line in messages if CANARY in line]


def test_a_containers_token_for_nomad_is_not_kept() -> None:
    assert nomad_variables([f"NOMAD_TOKEN={CANARY}", "NOMAD_JOB_NAME=web", "A=b"]) == {"NOMAD_JOB_NAME": "web"}


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.write_text("old")
    place.chmod(0o644)
    write_private(place, "new")
    assert place.stat().st_mode & 0o777 == 0o600 and place.read_text() == "new"
