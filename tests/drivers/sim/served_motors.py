"""Simulated motors on a bus in real time, for the public libraries that talk to them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

import can
import numpy as np

from drivers.bus import Frame
from drivers.can.datagram import DatagramBus
from drivers.sim.motors.conditions import MotorCondition

STEP_S: Final = 0.001
LONGEST_S: Final = 60.0
PATIENCE_S: Final = 10.0


class Motors(Protocol):
    """What the simulated motors of every make on CAN can do."""

    def torque(self, position: np.ndarray, velocity: np.ndarray, now_s: float) -> np.ndarray: ...

    def exchange(
        self, inboxes: list[list[Frame]], position: np.ndarray, velocity: np.ndarray, now_s: float
    ) -> list[list[Frame]]: ...

    def set_conditions(self, conditions: list[MotorCondition]) -> None: ...


M = TypeVar("M", bound=Motors)


class ServedMotors(Generic[M]):
    """Motors with a flywheel each, served over a bus until they are stopped, for a minute at most.

    Args:
        motors: All of one bus.
        folder: The bus's.
        position_rad: Where each begins, at rest.
        fd: Whether the bus carries FD frames.
        inertia_kg_m2: Of each flywheel.
        friction_nm_s_per_rad: Of each flywheel.
    """

    def __init__(
        self,
        motors: M,
        folder: Path,
        position_rad: list[float],
        *,
        fd: bool = False,
        inertia_kg_m2: float = 0.05,
        friction_nm_s_per_rad: float = 0.05,
    ) -> None:
        self.motors = motors
        self.position, self.velocity = np.array(position_rad), np.zeros(len(position_rad))
        self.failure: BaseException | None = None
        self._inertia, self._friction = inertia_kg_m2, friction_nm_s_per_rad
        self._bus = DatagramBus(folder, fd=fd)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._now_s = 0.0
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while not self._stop.is_set() and self._now_s < LONGEST_S:
                self._turn()
        except BaseException as failure:  # noqa: BLE001 (shown by the test that stops the motors)
            self.failure = failure

    def _turn(self) -> None:
        message = self._bus.recv(timeout=STEP_S)
        inbox: list[Frame] = []
        while message is not None:
            # A remote frame asks like an empty one.
            inbox.append(Frame(message.arbitration_id, bytes(message.data), message.is_extended_id, message.is_fd))
            message = self._bus.recv(timeout=0)
        with self._lock:
            replies = self._advance(inbox)
        for reply in replies:
            self._bus.send(_message(reply))

    def _advance(self, inbox: list[Frame]) -> list[Frame]:
        until_s = time.monotonic() - self._began_s
        while self._now_s + STEP_S <= until_s:
            self._now_s += STEP_S
            torque = self.motors.torque(self.position, self.velocity, self._now_s)
            self.velocity += STEP_S * (torque - self._friction * self.velocity) / self._inertia
            self.position += STEP_S * self.velocity
        (replies,) = self.motors.exchange([inbox], self.position, self.velocity, self._now_s)
        return replies

    def set_conditions(self, conditions: list[MotorCondition]) -> None:
        """Break or mend the motors, between two turns."""
        with self._lock:
            self.motors.set_conditions(conditions)

    def stop(self) -> None:
        """Serve no longer; what went wrong while serving is raised."""
        self._stop.set()
        self._thread.join(PATIENCE_S)
        self._bus.shutdown()
        if self.failure is not None:
            raise self.failure


def _message(frame: Frame) -> can.Message:
    return can.Message(
        arbitration_id=frame.arbitration_id,
        data=frame.data,
        is_extended_id=frame.is_extended,
        is_fd=frame.is_fd,
        bitrate_switch=frame.is_fd,
    )
