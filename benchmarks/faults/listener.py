"""Listens on a served robot's CAN buses, as another participant, until it is told to end; keeps the last seconds.

python -m benchmarks.faults.listener FILE BUS_FOLDER...
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
from collections import deque
from pathlib import Path

from drivers.can.datagram import DatagramBus
from drivers.can.frame_bytes import FLEXIBLE

MOST_FRAMES = 300_000
"""Twelve motors at 500 Hz, with their answers, for 25 s."""


def main() -> int:
    """Listen until SIGTERM, or until nobody is left to send it; then write (bus, when, bytes) of each frame."""
    target, folders = Path(sys.argv[1]), sys.argv[2:]
    buses = [DatagramBus(folder) for folder in folders]
    frames: deque[tuple[int, float, bytes]] = deque(maxlen=MOST_FRAMES)
    is_over = [False]
    signal.signal(signal.SIGTERM, lambda *_: is_over.__setitem__(0, True))
    by_number = {bus.fileno(): (index, bus) for index, bus in enumerate(buses)}
    parent = os.getppid()
    print("ready", flush=True)
    while not is_over[0] and os.getppid() == parent:
        for number in select.select([*by_number], (), (), 0.1)[0]:
            index, bus = by_number[number]
            while True:
                # Its socket, and not `recv`: a frame costs 3 µs so, and the host's own cycle is not held up.
                try:
                    raw, ancillary, _, _ = bus._socket.recvmsg(FLEXIBLE.size, 128)
                except BlockingIOError:
                    break
                frames.append((index, bus._stamp_s(ancillary), raw))
    for bus in buses:
        bus.shutdown()
    target.write_bytes(pickle.dumps(list(frames)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
