"""What the operator's commands print, and how they end."""

from __future__ import annotations

import json
from typing import Final

from supervisor.runtime.inputs.client import send
from supervisor.runtime.inputs.messages import STATUS, Answer
from supervisor.runtime.inputs.status_text import status_lines

EXIT_CODES: Final = {"accepted": 0, "refused": 10, "unanswered": 70, "error": 2}


def carry_out(command: str, robot: str | None, *, as_json: bool) -> tuple[str, int]:
    """Send a command to the supervisor that runs.

    Returns:
        What to print, and the exit code.

    Raises:
        LinkError: None runs, several do, or it does not answer.
    """
    answer = send(command, robot)
    code = EXIT_CODES[answer.kind]
    if as_json:
        content = {"command": command, "outcome": answer.kind, "lines": list(answer.lines), "status": answer.status}
        return json.dumps(content, indent=1), code
    return "\n".join(_lines(command, answer)), code


def _lines(command: str, answer: Answer) -> list[str]:
    if command == STATUS and answer.kind == "accepted":
        return status_lines(answer.status)
    if len(answer.lines) == 1:
        return [f"{command} {answer.kind}: {answer.lines[0]}"]
    return [f"{command} {answer.kind}:", *(f"  {line}" for line in answer.lines)]
