"""A CAN bus between processes of one machine: a python-can interface over Unix datagram sockets.

The bus is a folder. Every participant binds a socket of its own in it and sends each frame, as one datagram laid out as
SocketCAN lays it out, to the sockets of all others. Only the folder's owner can take part, and nothing leaves the
machine. python-can finds it by the name `handrail_datagram`:

    can.Bus(interface="handrail_datagram", channel="/run/user/1000/can0")
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Final

import can
from can.typechecking import CanFilters

from drivers.can.batched_can import FULL, Submission
from drivers.can.batched_socket import TIMESTAMP_NS, SendBatch
from drivers.can.frame_bytes import FLEXIBLE
from drivers.can.frame_layout import pack_message, unpack_message

SUFFIX: Final = ".can"
"""Ends the name of every participant's socket. Other entries of the folder are left alone."""

QUEUE_FRAMES: Final = 256
"""Frames kept for a participant whose own queue is full. Linux queues 10 datagrams unless told otherwise, fewer than a
bus of 12 motors needs in one cycle."""

PATH_BYTES: Final = 107
"""Longest path of a Unix socket on Linux, without the zero at its end."""

WAIT_SLICE_S: Final = 0.005
"""How long `recv` waits before it looks again for frames that another thread could not hand over."""

SETTLED_S: Final = 0.1
"""A folder that changed less than this before it was listed may change again without a new time of change: file systems
tell times by the kernel's tick, 10 ms at most."""

MALFORMED_IN_ONE_CALL: Final = 1024
"""A flood of junk must not hold `recv` up for ever."""

_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)


@dataclass(slots=True)
class DatagramCounters:
    """What did not reach its reader.

    Attributes:
        malformed: Datagrams received that are no frame.
        oversized: Datagrams received that are longer than any frame.
        fd_refused: FD frames received by a participant that was opened without `fd`.
        overruns: Frames that a participant missed because its queue and ours for it were full.
        leftovers: Sockets of participants that died, removed.
    """

    malformed: int = 0
    oversized: int = 0
    fd_refused: int = 0
    overruns: int = 0
    leftovers: int = 0


@dataclass(slots=True)
class _Peer:
    """Another participant: a socket connected to its own, and what it could not take yet, oldest first."""

    socket: socket.socket
    waiting: deque[bytes] = field(default_factory=deque[bytes])


class DatagramBus(can.BusABC):
    """One participant of a bus, and a `Transport`. Own frames are not received; a slow or dead one holds nobody up.

    Sending and receiving may be done from two threads.

    Args:
        channel: Folder of the bus; made, for its owner alone, where it is missing. All participants name the same one.
        can_filters: Which frames to receive, as python-can describes them.
        fd: Whether FD frames can be sent and received.
        receive_own_messages: False: own frames do not come back.
        bitrate: Not used, datagrams have none.
        wall_clock_s: Seconds since the epoch.
        kwargs: What python-can's configuration files say besides; not used.

    Attributes:
        counters: What did not reach its reader.

    Raises:
        can.CanInitializationError: The folder belongs to somebody else, others may enter it, it is none, or its path is
            too long.
    """

    def __init__(
        self,
        channel: str | os.PathLike[str],
        can_filters: CanFilters | None = None,
        *,
        fd: bool = False,
        receive_own_messages: bool = False,
        bitrate: int | None = None,  # noqa: ARG002 (HardwareBuses gives it to every interface)
        wall_clock_s: Callable[[], float] = time.time,
        **kwargs: object,
    ) -> None:
        if receive_own_messages:
            raise can.CanInitializationError("handrail_datagram does not hand own frames back")
        self.counters = DatagramCounters()
        self._wall_clock_s = wall_clock_s
        self._is_fd = fd
        self._lock = threading.Lock()
        self._peers: dict[str, _Peer] = {}
        self._listed_ns = -1
        self._is_listing_settled = False
        self._path = Path(channel).absolute()
        self._name = f"{os.getpid()}-{token_hex(4)}{SUFFIX}"
        self.channel_info = f"handrail_datagram {self._path}"
        self._folder = _open_folder(self._path)
        try:
            self._socket = _bind(self._path, self._name)
        except BaseException:
            os.close(self._folder)
            raise
        self._can_protocol = can.CanProtocol.CAN_FD if fd else can.CanProtocol.CAN_20
        super().__init__(channel=str(channel), can_filters=can_filters, **kwargs)

    def fileno(self) -> int:
        """The socket that frames arrive on, for `select` and asyncio; -1 once closed."""
        return self._socket.fileno()

    def send(self, msg: can.Message, timeout: float | None = None) -> None:  # noqa: ARG002 (it never waits)
        """Send a frame to all others. Never waits: what somebody has no room for is kept, then counted.

        Raises:
            ValueError: No CAN controller could send it.
            can.CanOperationError: The bus is closed, its folder is gone, or it is an FD frame on a bus without.
        """
        if msg.is_fd and not self._is_fd:
            raise can.CanOperationError(f"FD frame on {self.channel_info}, opened without fd", errno.EINVAL)
        raw = pack_message(msg)
        with self._lock:
            self._find_peers()
            for name, peer in [*self._peers.items()]:
                self._queue(name, peer, [raw])

    def submit(self, batch: SendBatch) -> Submission:
        """Send a batch, one system call for each other participant. What one has no room for is kept, then counted.

        Raises:
            can.CanOperationError: The bus is closed, or its folder is gone.
        """
        with self._lock:
            self._find_peers()
            for name, peer in [*self._peers.items()]:
                taken = 0 if peer.waiting else max(0, batch.send(peer.socket.fileno()))
                if taken < batch.count:
                    self._queue(name, peer, batch.raw(taken))
        return Submission(batch.count)

    def hand_over(self) -> None:
        """Send what could not be sent before."""
        self._hand_over_all()

    def _queue(self, name: str, peer: _Peer, frames: list[bytes]) -> None:
        """Send frames to a participant, or keep them for it; what exceeds its queue is counted and lost."""
        waiting = peer.waiting
        if len(waiting) + len(frames) > QUEUE_FRAMES:
            self._hand_over(name, peer)
        room = max(0, QUEUE_FRAMES - len(waiting))
        self.counters.overruns += len(frames[room:])
        waiting.extend(frames[:room])
        self._hand_over(name, peer)

    def _hand_over(self, name: str, peer: _Peer) -> None:
        """Send what waits for a participant, as far as it has room; forget one that is dead."""
        waiting, send = peer.waiting, peer.socket.send
        try:
            while waiting:
                send(waiting[0])
                waiting.popleft()
        except OSError as error:
            if error.errno not in FULL:
                self._forget(name)
            if error.errno == errno.ECONNREFUSED:
                self._remove_leftover(name)

    def _find_peers(self) -> None:
        """Look who takes part, if the folder has changed since."""
        try:
            now = os.fstat(self._folder)
        except OSError as error:
            raise can.CanOperationError(f"{self.channel_info} is closed", error.errno) from error
        if not now.st_nlink:
            raise can.CanOperationError(f"{self.channel_info}: the folder is gone", errno.ENETDOWN)
        if now.st_mtime_ns == self._listed_ns and self._is_listing_settled:
            return
        is_settled = self._wall_clock_s() - now.st_mtime > SETTLED_S
        listed = os.listdir(self._folder)  # noqa: PTH208 (by its descriptor: the path may be another folder by now)
        names = {name for name in listed if name.endswith(SUFFIX) and name != self._name}
        for name in sorted(names - self._peers.keys()):
            self._meet(name)
        self._listed_ns, self._is_listing_settled = now.st_mtime_ns, is_settled

    def _meet(self, name: str) -> None:
        """Connect to a participant; a socket that nobody holds any more is removed."""
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            peer.setblocking(False)
            peer.connect(str(self._path / name))
        except OSError as error:
            peer.close()
            if error.errno == errno.ECONNREFUSED:
                self._remove_leftover(name)
        else:
            self._peers[name] = _Peer(peer)

    def _forget(self, name: str) -> None:
        peer = self._peers.pop(name, None)
        if peer is not None:
            peer.socket.close()

    def _remove_leftover(self, name: str) -> None:
        # A plain file refuses connections too, and is not ours to remove.
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=self._folder)
                self.counters.leftovers += 1

    def _hand_over_all(self) -> list[int]:
        """Send what waits, and say which sockets still have something."""
        with self._lock:
            for name, peer in [*self._peers.items()]:
                if peer.waiting:
                    self._hand_over(name, peer)
            return [peer.socket.fileno() for peer in self._peers.values() if peer.waiting]

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        """The next frame that the filters let through.

        Filtered here: python-can's own filter gives up on the first other frame when told not to wait.
        """
        deadline_s = None if timeout is None else time.monotonic() + timeout
        while True:
            stuck = self._hand_over_all()
            message = self._take()
            if message is not None:
                return message, True
            left_s = WAIT_SLICE_S if deadline_s is None else deadline_s - time.monotonic()
            if left_s <= 0.0:
                return None, True
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            for number in stuck:
                poll.register(number, select.POLLOUT)
            poll.poll(max(1.0, min(left_s, WAIT_SLICE_S) * 1000.0))

    def _take(self) -> can.Message | None:
        """What has arrived and passes the filters; None when nothing is left. Counts and drops what is no frame."""
        for _ in range(MALFORMED_IN_ONE_CALL):
            try:
                raw, ancillary, flags, _ = self._socket.recvmsg(FLEXIBLE.size, _ANCILLARY_BYTES)
            except BlockingIOError:
                return None
            except OSError as error:
                raise can.CanOperationError(f"{self.channel_info} is closed", error.errno) from error
            if flags & socket.MSG_TRUNC:
                self.counters.oversized += 1
                continue
            message = unpack_message(raw, self._stamp_s(ancillary))
            if message is None:
                self.counters.malformed += 1
            elif message.is_fd and not self._is_fd:
                self.counters.fd_refused += 1
            elif self._matches_filters(message):
                return message
        return None

    def _stamp_s(self, ancillary: list[tuple[int, int, bytes]]) -> float:
        """When the kernel took the datagram, seconds since the epoch; now, where it does not say."""
        for level, kind, value in ancillary:
            if (level, kind, len(value)) == (socket.SOL_SOCKET, TIMESTAMP_NS, _TIMESPEC.size):
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                return seconds + nanoseconds * 1e-9
        return self._wall_clock_s()

    def shutdown(self) -> None:
        """Leave the bus. Idempotent."""
        if self._is_shutdown:
            return
        super().shutdown()
        self._hand_over_all()
        with self._lock:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
            for name in [*self._peers]:
                self._forget(name)
            self._socket.close()
            os.close(self._folder)
            self._folder = -1


def _open_folder(path: Path) -> int:
    """Open the folder of a bus, and make it where it is missing; refuse one that others may enter."""
    if len(os.fsencode(path)) + 1 + len(f".{2**22}-00000000{SUFFIX}") > PATH_BYTES:
        raise can.CanInitializationError(f"the path {path} is too long for sockets in it; take a shorter one")
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise can.CanInitializationError(f"{path} is not the folder of a bus: {error.strerror}", error.errno) from error
    found = os.fstat(folder)
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == os.geteuid() and mode & 0o777 == 0o700:
        return folder
    os.close(folder)
    raise can.CanInitializationError(
        f"{path} belongs to user {found.st_uid} with permissions {mode:04o}; the folder of a bus must belong to user "
        f"{os.geteuid()} with 0700, or others could move the motors (chmod 700 {path})",
        errno.EACCES,
    )


def _bind(path: Path, name: str) -> socket.socket:
    """A participant's own socket."""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    hidden = path / f".{name}"
    try:
        own.setblocking(False)
        with contextlib.suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 1)
        own.bind(str(hidden))
        # Named only now: between its entry in the folder and the first datagram it can take, a socket looks like a
        # dead participant's, and would be removed.
        hidden.rename(path / name)
    except OSError as error:
        own.close()
        raise can.CanInitializationError(f"cannot bind a socket in {path}: {error.strerror}", error.errno) from error
    return own
