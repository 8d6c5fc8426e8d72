"""What the parts of a control cycle take where they are: in the control process, at its rate, beside the others.

Every process of a run reads this as its `sitecustomize`, at its start; the control process alone does something about
it, and leaves the figures when it ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.realtime.lateness import Lateness

SITECUSTOMIZE = """
import sys

if "supervisor.runtime.processes.control" in sys.orig_argv:
    import atexit
    import importlib
    import json
    import time

    PARTS = {
        "read and decode": "drivers.robot_io.RobotIO.read",
        "guards": "supervisor.safety.board.GuardBoardEvaluator.evaluate",
        "safety core, guards included": "supervisor.safety.core.SafetyCore.step",
        "encode and write": "drivers.robot_io.RobotIO.write",
        "record": "supervisor.runtime.shared.links.RingRecorder.append",
        "beat to the guardian": "supervisor.runtime.guarding.Heart.beat",
    }
    WARM_UP = 500
    taken = {}

    def watched(function, durations):
        clock, note = time.perf_counter, durations.append

        def call(*arguments, **named):
            began_s = clock()
            result = function(*arguments, **named)
            note(clock() - began_s)
            return result

        return call

    def leave():
        found = {}
        for name, durations in taken.items():
            late = sorted(durations[WARM_UP:])
            if late:
                at = [late[min(int(share * len(late)), len(late) - 1)] * 1e6 for share in (0.5, 0.99, 0.999, 1.0)]
                found[name] = at
        with open(FILE, "w") as file:
            json.dump(found, file)

    for name, path in PARTS.items():
        module, kind, method = path.rsplit(".", 2)
        place = getattr(importlib.import_module(module), kind)
        taken[name] = []
        setattr(place, method, watched(getattr(place, method), taken[name]))
    atexit.register(leave)
"""


@contextmanager
def timed_in_place(folder: Path, found: dict[str, Lateness]) -> Iterator[None]:
    """Runs that start meanwhile leave what the parts of their cycles took; added to `found` at the end."""
    code, left = folder / "code", folder / "parts.json"
    code.mkdir()
    (code / "sitecustomize.py").write_text(f"FILE = {str(left)!r}\n{SITECUSTOMIZE}", encoding="utf-8")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(code), before, str(Path.cwd()))))
    try:
        yield
    finally:
        os.environ["PYTHONPATH"] = before
    if left.is_file():
        found |= {name: Lateness(*values) for name, values in json.loads(left.read_text(encoding="utf-8")).items()}
