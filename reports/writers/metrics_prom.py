"""metrics.prom: the run as metrics, for the textfile collector of Prometheus' node exporter.

The text is OpenMetrics 1.0, and the older text format at the same time: gauges only, without units and timestamps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, get_args, get_type_hints

from reports.document import Document
from reports.model import Outcome, Status
from reports.report import Report
from reports.results import SEVERITY

LAB = "lab"
"""The label `cluster` of an embedded lab, whose own name is another one in every run."""
_VERDICTS = get_args(get_type_hints(Document)["verdict"])

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def write(report: Report) -> None:
    """Write metrics.prom into the run's folder."""
    (report.folder / "metrics.prom").write_text(metrics(report), encoding="utf-8")


def metrics(report: Report) -> str:
    """The text of metrics.prom."""
    data = report.document
    cluster = data["cluster"].get("name", "?") if data["cluster"].get("kind") == "cluster" else LAB
    families: list[tuple[str, str, Iterable[Sample]]] = [
        ("run_info", "The run: version of Flatnet, revision, overlay.", [(_about(report), 1)]),
        ("run_start_time_seconds", "When the run began, as Unix time.", [({}, _seconds(data["started"]))]),
        ("run_duration_seconds", "How long the run took.", [({}, data["duration_s"])]),
        ("run_exit_code", "The run's exit code.", [({}, data["exit_code"])]),
        ("verdict", "1 for the verdict that the run came to.", _one_of("verdict", _VERDICTS, data["verdict"])),
        ("requirement_status", "1 for the status that a requirement has.", _statuses(data["requirements"])),
        ("requirement_tests", "Tests of a requirement, by how they ended.", _requirement_tests(data["requirements"])),
        ("requirement_duration_seconds", "How long the tests of a requirement took.", _durations(report)),
        ("tests", "Tests by outcome.", _counted("outcome", SEVERITY, (test.outcome for test in report.results))),
        ("probes", "Probes by outcome.", _probes(data["probes"])),
    ]
    if data.get("baseline"):
        changes = data["baseline"]["requirements"]
        families.append(
            (
                "baseline_requirements",
                "Requirements by what became of them since the baseline.",
                [({"change": change}, len(names)) for change, names in changes.items()],
            )
        )
    return "".join(_family(name, text, samples, cluster) for name, text, samples in families) + "# EOF\n"


def _about(report: Report) -> Labels:
    data = report.document
    return {
        "run": report.folder.name,
        "version": data["flatnet"]["version"],
        "revision": data["flatnet"]["revision"] or "",
        "overlay": data["cluster"].get("overlay", "?"),
        "gate": str(data["gate"]).lower(),
    }


def _seconds(started: str) -> float:
    return round(datetime.fromisoformat(started).timestamp(), 3)


def _one_of(label: str, names: Iterable[str], chosen: str) -> list[Sample]:
    return [({label: name}, int(name == chosen)) for name in names]


def _statuses(requirements: Mapping[str, Any]) -> list[Sample]:
    """Every status of every requirement, so that no series ends when a status changes."""
    return [
        ({"requirement": name, "level": entry["level"], **labels}, value)
        for name, entry in requirements.items()
        for labels, value in _one_of("status", [status.value for status in Status], entry["status"])
    ]


def _requirement_tests(requirements: Mapping[str, Any]) -> list[Sample]:
    return [
        ({"requirement": name, "count": count}, entry[count])
        for name, entry in requirements.items()
        for count in ("planned", "passed", "failed", "errors")
    ]


def _durations(report: Report) -> list[Sample]:
    took: dict[str, float] = defaultdict(float)
    for test in report.results:
        for name in test.requirements:
            took[name] += test.duration_s
    return [({"requirement": name}, round(took[name], 3)) for name in report.document["requirements"]]


def _counted(label: str, names: Iterable[str], found: Iterable[str]) -> list[Sample]:
    counts = Counter(found)
    return [({label: name}, counts[name]) for name in names]


def _probes(probes: Mapping[str, int]) -> list[Sample]:
    return [({"outcome": outcome.value}, probes.get(outcome.value, 0)) for outcome in Outcome]


def _family(name: str, text: str, samples: Iterable[Sample], cluster: str) -> str:
    full = f"flatnet_{name}"
    lines = [f"# HELP {full} {text}", f"# TYPE {full} gauge"]
    lines += [f"{full}{{{_labels({'cluster': cluster, **labels})}}} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
