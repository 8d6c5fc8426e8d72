"""A piece of shared memory: a mapped file in a folder of the run, readable and writable by its owner alone."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import stat
from pathlib import Path
from secrets import token_hex

from supervisor.core.errors import LinkError

ROOT = Path("/dev/shm")  # noqa: S108 (memory, not a disk; a folder of the run's own is made in it)
"""Where files live in memory on Linux. Not Python's SharedMemory: before 3.13 whoever attaches unlinks it at exit."""


def create_folder() -> Path:
    """Make a folder for one run's segments, for its owner alone.

    Raises:
        LinkError: It cannot be made.
    """
    path = ROOT / f"handrail-{os.geteuid()}-{os.getpid()}-{token_hex(4)}"
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise LinkError(f"cannot make {path} for shared memory: {error.strerror}") from None
    return path


def remove_folder(path: Path) -> None:
    """Remove a run's folder with everything in it. Those who have segments mapped keep them until they end.

    Never raises: what cannot be removed is memory of ours that the next start of the machine frees.
    """
    shutil.rmtree(path, ignore_errors=True)


class Segment:
    """One mapped file.

    Args:
        path: The file.
        size: In bytes.
        create: Whether to make it; it must not exist. Otherwise it must, with this very size.

    Attributes:
        memory: The bytes.

    Raises:
        LinkError: It exists already or is missing, is not ours alone, or has another size.
    """

    __slots__ = ("_map", "memory", "path")

    def __init__(self, path: Path, size: int, *, create: bool) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if create else 0)
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise LinkError(f"cannot open shared memory {path}: {error.strerror}") from None
        try:
            if create:
                os.ftruncate(descriptor, size)
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                raise LinkError(
                    f"{path} is not ours alone (user {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o})"
                )
            if found.st_size != size:
                raise LinkError(f"{path} has {found.st_size} bytes, expected {size}: another version, or another robot")
            self._map = mmap.mmap(descriptor, size)
        except (OSError, ValueError) as error:
            raise LinkError(f"cannot map shared memory {path}: {error}") from None
        finally:
            os.close(descriptor)
        self.memory = memoryview(self._map)

    def close(self) -> None:
        """Let go of the memory; whoever still holds a view of it keeps it mapped. Idempotent."""
        with contextlib.suppress(BufferError):
            self.memory.release()
            self._map.close()
