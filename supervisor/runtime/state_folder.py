"""Where the latch of each robot is kept between runs.

| run | folder |
|---|---|
| on the robot | `$XDG_STATE_HOME/handrail`, by default `~/.local/state/handrail` |
| simulated, in real time | `.state` among the run folders: a simulated trip never stops the real robot |
| simulated with --fast | none: each run begins anew |
| any of these, with --state DIR | DIR |
| that commands nothing | none: what would have been is no stop |
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from supervisor.runtime.inputs.places import socket_name
from supervisor.runtime.options import RunOptions, Voice

LATCH: Final = "latch.bin"
SIMULATED: Final = ".state"


def state_folder() -> Path:
    """The folder for what outlives a run on a robot."""
    given = os.environ.get("XDG_STATE_HOME", "")
    # What is not an absolute path is to be ignored, says the specification.
    root = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return root / "handrail"


def latch_path(options: RunOptions, robot: str) -> Path | None:
    """The file that a run keeps its latch in; None where it keeps none.

    Args:
        options: What was asked for.
        robot: Name of the robot.
    """
    if options.voice is not Voice.COMMANDS:
        return None
    if options.state is not None:
        folder = options.state
    elif options.mode == "live":
        folder = state_folder()
    elif options.fast:
        return None
    else:
        folder = options.runs / SIMULATED
    return folder.absolute() / socket_name(robot) / LATCH
