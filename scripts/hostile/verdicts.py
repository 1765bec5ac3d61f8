"""Faults of an answer to a hostile input, and of the server after many."""

from __future__ import annotations

import re

from .client import Answer, Response
from .inputs import HostileInput
from .inputs.raw_http import WAIT

SLOW_SECONDS = 10.0
MAX_RESIDENT_BYTES = 320 * 2**20
"""Bar of the worker's resident memory: 384 MB less what the other processes and /tmp need."""
REFUSALS = (503, 507)
"""Statuses above 499 that are answers: busy, or no room for temporary files."""
PROTOCOL = (501, 505)
"""Statuses above 499 that answer HTTP which the server does not speak."""
LEAK = re.compile(rb'Traceback \(most recent|File "/|site-packages|/var/tmp/|root:x:0:0')
TIMES = ("slow", "timeout", "reader-slow")
"""Faults that a busy machine may have caused."""
FAULTS = {
    "5xx": "a status of 500 or more, other than 503 and 507 (for raw HTTP also 501 and 505)",
    "no-answer": "the connection ended without an answer to a well-formed request",
    "timeout": "no answer within a minute",
    "slow": f"an answer after more than {SLOW_SECONDS:.0f} s",
    "bare": "an error that is neither problem+json nor a page, or lacks the security headers",
    "no-retry": "a 503 without Retry-After",
    "leak": "a traceback, a path or a file of the server in an answer",
    "kill": "a process killed for memory, or a worker that ended",
    "memory": f"more than {MAX_RESIDENT_BYTES // 2**20} MB resident",
    "traceback": "an exception of a reader in scripts/ that is not an error in words",
    "reader-slow": f"a reader in scripts/ that takes more than {SLOW_SECONDS:.0f} s",
    "reader-died": "a reader in scripts/ that was killed, or ended its process",
}
"""Kind of fault -> description."""


def judge(sent: HostileInput, answer: Answer) -> list[str]:
    """Return the faults of an answer, keys of FAULTS."""
    faults = []
    allowed = REFUSALS + (PROTOCOL if sent.kind == "http" else ())
    if any(response.status >= 500 and response.status not in allowed for response in answer.responses):
        faults.append("5xx")
    if sent.end == WAIT and answer.problem == "timeout":
        faults.append("timeout")
    elif sent.end == WAIT and not answer.responses:
        faults.append("no-answer")
    elif answer.responses and answer.seconds > SLOW_SECONDS and answer.problem is None:
        faults.append("slow")
    if any(map(is_bare, answer.responses)):
        faults.append("bare")
    if any(response.status == 503 and "retry-after" not in response.headers for response in answer.responses):
        faults.append("no-retry")
    if any(LEAK.search(response.body) for response in answer.responses):
        faults.append("leak")
    return faults


def is_bare(response: Response) -> bool:
    """Return True for an error without the project's form or headers."""
    kind = response.headers.get("content-type", "")
    formed = kind.startswith("application/problem+json") or (
        kind.startswith("text/html") and "content-security-policy" in response.headers
    )
    return response.status >= 400 and not (formed and response.headers.get("x-content-type-options") == "nosniff")
