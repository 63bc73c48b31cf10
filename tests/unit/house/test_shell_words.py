"""No value reaches a node's shell without quotes: a name from a file or from another node is data, never a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.house.shell_words import functions, unquoted
from tests.unit.house.test_project import tracked

ROOT = Path(__file__).resolve().parents[3]
SOURCES = {path: (ROOT / path).read_text(encoding="utf-8") for path in tracked("lab/*.py", "fixtures/*.py")}
MEANT = {
    "fixtures/evidence/diagnosis.py: command": "of STATE_COMMANDS",
    "fixtures/evidence/diagnosis.py: mark": "a constant of the function",
    "fixtures/evidence/diagnosis.py: tool": "of STATE_COMMANDS",
    "fixtures/isolation/attacks.py: address": "words of `docker exec`, which has no shell",
    "fixtures/isolation/attacks.py: network.prefixlen": "words of `docker exec`, which has no shell",
    "lab/embedded/debian.py: ','.join(wanted.packages)": "words of mmdebstrap, which is started without a shell",
    "lab/embedded/debian.py: pattern.removeprefix('!')": "words of mmdebstrap, which is started without a shell",
    "lab/embedded/debian.py: settings": "words of mmdebstrap, which is started without a shell",
    "lab/overlays/weave.py: self.option('command', 'weave')": "overlay.options.command is a command line",
    "lab/overlays/weave.py: command": "overlay.options.command is a command line",
}
"""{value: why it needs no quotes}"""


def test_nothing_reaches_a_nodes_shell_without_quotes() -> None:
    known = functions(SOURCES)
    found = [line for path, text in SOURCES.items() for line in unquoted(path, text, known)]
    assert sorted(set(found) - set(MEANT)) == []


@pytest.mark.parametrize(
    "body",
    [
        'node.run(f"cat {name}")',
        'node.run("cat " + f"{name}")',
        'node.run(f"cat {name}" if name else "true")',
        'line = f"cat {name}"\n    node.run(line)',
        'lines = ["set -e"]\n    lines += [f"cat {one}" for one in name]\n    node.run("\\n".join(lines))',
        'node.run("cat {}".format(name))',
        "node.run(TEMPLATE.replace('NAME', name))",
        'shell.channel(f"exec {name}")',
        "node.run(script(name))",
        'enter = f"nsenter {name} "\n    node.run(f"{enter}ip link")',
    ],
)
def test_a_value_without_quotes_is_found(body: str) -> None:
    text = f"def script(name):\n    return f'cat {{name}}'\n\n\ndef act(node, shell, name):\n    {body}\n"
    assert unquoted("lab/x.py", text, functions({"lab/x.py": text}))


@pytest.mark.parametrize(
    "body",
    [
        'node.run(["cat", name])',
        'node.run(f"cat {shlex.quote(name)}")',
        'node.run(f"exec {shlex.join(name)}")',
        'node.run(f"sleep {DELAY_S}; sleep {int(name)}")',
        'own = shlex.quote(name)\n    node.run(f"cat {own}")',
        'one, two = shlex.quote(name), "x"\n    node.run(f"cat {one} {two}")',
        'node.run("cat /etc/hosts")',
    ],
)
def test_a_quoted_value_is_not_accused(body: str) -> None:
    text = f"def act(node, name):\n    {body}\n"
    assert not unquoted("lab/x.py", text, functions({"lab/x.py": text}))
