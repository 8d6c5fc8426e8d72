"""Where the sockets of running supervisors are: one per robot, in a folder that only its owner can enter."""

from __future__ import annotations

import os
import re
import stat
import zlib
from pathlib import Path
from typing import Final

from supervisor.core.errors import LinkError

SUFFIX: Final = ".socket"
FOLDER_MODE: Final = 0o700

_NAME_LENGTH: Final = 40
_PATH_BYTES: Final = 108
"""Of a Unix socket's address, with its ending zero."""


def candidates() -> list[Path]:
    """Folders that may hold sockets, best first: a service and a login shell do not always agree on them."""
    user = os.geteuid()
    runtime, own = os.environ.get("XDG_RUNTIME_DIR", ""), Path(f"/run/user/{user}")
    folders = [Path(runtime) / "handrail"] if runtime.startswith("/") else []
    if own.is_dir():
        folders.append(own / "handrail")
    folders.append(Path(f"/tmp/handrail-{user}"))  # noqa: S108 (refused where it is not ours alone)
    return list(dict.fromkeys(folders))


def socket_name(robot: str) -> str:
    """The file name of a robot's socket, whatever the robot is called."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", robot)[:_NAME_LENGTH]
    return plain if plain == robot else f"{plain}-{zlib.crc32(robot.encode()):08x}"


def own_folder() -> Path:
    """The folder for sockets, made where it is missing.

    Raises:
        LinkError: None can be made, or another user could enter it.
    """
    reasons: list[str] = []
    for folder in candidates():
        try:
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            require_ours(folder)
        except (OSError, LinkError) as error:
            reasons.append(f"{folder}: {error}")
            continue
        if len(os.fsencode(folder)) + 1 + _NAME_LENGTH + 9 + len(SUFFIX) < _PATH_BYTES:
            return folder
        reasons.append(f"{folder}: the path is too long for a socket")
    raise LinkError(
        f"no place for the operator's socket: {'; '.join(reasons)}; set XDG_RUNTIME_DIR to a folder of yours"
    )


def require_ours(folder: Path) -> None:
    """Refuse a folder that others may enter.

    Raises:
        LinkError: It is not ours alone.
        OSError: It is not there.
    """
    found = os.lstat(folder)
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or mode != FOLDER_MODE:
        raise LinkError(
            f"belongs to user {found.st_uid} with permissions {mode:04o}; it must be a folder of user {os.geteuid()} "
            f"with {FOLDER_MODE:04o}, or others could command the robot (chmod 700 {folder})"
        )


def sockets() -> dict[str, Path]:
    """The sockets in folders that are ours alone, by name. Whether anybody listens is another question."""
    found: dict[str, Path] = {}
    for folder in candidates():
        try:
            require_ours(folder)
            paths = sorted(folder.glob(f"*{SUFFIX}"))
        except (OSError, LinkError):
            continue
        for path in paths:
            found.setdefault(path.name.removesuffix(SUFFIX), path)
    return found
