"""Who has a serial line open: its bytes go to whoever reads first, so a second reader takes them from the first."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")

_PSEUDO_TERMINALS: Final = range(136, 144)
"""Major numbers. Who makes a pseudo-terminal may hold both of its ends, and takes nothing from who opens one."""


def line_users(port: str, processes: Path = _PROC) -> list[str]:
    """Other processes that have a serial line open, as far as this user may see into them.

    Args:
        port: Path of the line; a link is followed.
        processes: Where the system lists processes.

    Returns:
        Name and number of each; empty where the line is none, or not there.
    """
    device = _character_device(Path(port))
    if device is None or os.major(device) in _PSEUDO_TERMINALS:
        return []
    others = (folder for folder in processes.glob("[0-9]*") if folder.name != str(os.getpid()))
    return sorted(f"{_name(folder)} ({folder.name})" for folder in others if _has_open(folder, device))


def _has_open(process: Path, device: int) -> bool:
    try:
        return any(_character_device(link) == device for link in (process / "fd").iterdir())
    except OSError:
        return False  # Another user's, or gone.


def _character_device(path: Path) -> int | None:
    """Its number, None where it is no such device."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_rdev if stat.S_ISCHR(found.st_mode) else None


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a process"
