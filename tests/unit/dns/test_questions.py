"""The ledger of questions: equal ones are counted, and an answer that says nothing is in doubt."""

from __future__ import annotations

from dataclasses import replace

from fixtures.dns.messages import Answer, DnsTransport
from fixtures.dns.questions import MOST, QUESTIONS, rows
from reports.pictures.table import Tone

ANSWER = Answer(
    "u1/a1", "192.168.56.3", "web.service.consul.", "A", DnsTransport.UDP, "NOERROR", ("10.32.0.2", "10.32.0.1")
)


def test_equal_questions_with_equal_answers_are_one_row() -> None:
    turned = replace(ANSWER, records=("10.32.0.1", "10.32.0.2"), ttls=(7,))
    (row,) = rows([ANSWER, turned, ANSWER])
    assert dict(zip(QUESTIONS, row.cells, strict=True)) == {
        "asker": "u1/a1",
        "server": "192.168.56.3",
        "name": "web.service.consul.",
        "type": "A",
        "by": "udp",
        "times": "3",
        "answer": "NOERROR",
        "records": "10.32.0.1, 10.32.0.2",
        "asked before": "",
    }
    assert row.tone is Tone.PLAIN


def test_an_answer_that_says_nothing_is_in_doubt() -> None:
    refused, missing, cut = (
        replace(ANSWER, rcode="REFUSED", earlier=("192.168.56.4: SERVFAIL",)),
        replace(ANSWER, rcode="NXDOMAIN", records=()),
        replace(ANSWER, truncated=True),
    )
    made = rows([refused, missing, cut])
    assert [row.tone for row in made] == [Tone.DOUBT, Tone.PLAIN, Tone.PLAIN]
    assert made[0].cells[8] == "192.168.56.4: SERVFAIL" and made[2].cells[6] == "NOERROR, truncated"


def test_what_is_attached_is_bounded() -> None:
    assert len(rows(replace(ANSWER, name=f"{number}.") for number in range(MOST + 5))) == MOST
