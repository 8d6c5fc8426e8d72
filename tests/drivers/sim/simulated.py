"""A host that talks to a simulated robot in bytes and nothing else, and robots made from any model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from drivers.bus import Frame
from drivers.can.damiao.codec import (
    DISABLE,
    ENABLE,
    MotorFeedback,
    decode_feedback,
    make_poll,
    make_set_timeout,
)
from drivers.can.damiao.tables import BROADCAST_ID, MODELS
from drivers.can.impedance import encode_mit
from drivers.imu.hipnuc.codec import FrameParser, Hi91, decode_packets
from drivers.sim.fault_kinds import FaultScript
from drivers.sim.variation import Variation
from drivers.sim.world import SimulatedWorld
from supervisor.core.loading import Document, validate_document
from supervisor.core.robot import CanBusConfig, RobotConfig
from supervisor.core.robot_file import Robot, load_robot

ROOT = Path(__file__).resolve().parents[3]
Request = Callable[[str], "bytes | Frame | None"]
"""What to send to a joint's motor: data for its id, a whole frame, or nothing."""


@cache
def pup() -> Robot:
    return load_robot(ROOT / "config" / "robots" / "pup")


def script(*faults: Mapping[str, Any]) -> FaultScript:
    """A fault script; each fault begins at the start unless it says otherwise."""
    rows = [{"at": {"stage": "start"}, **fault} for fault in faults]
    return validate_document(Document("test", {"schema": 1, "faults": rows}), FaultScript)


class Host:
    """Sends and receives bytes, one control cycle at a time."""

    def __init__(
        self,
        *faults: Mapping[str, Any],
        robot: Robot | None = None,
        seed: int = 0,
        variation: Variation | None = None,
    ) -> None:
        self.robot = robot or pup()
        self.config: RobotConfig = self.robot.config
        self.world = SimulatedWorld(self.robot, seed=seed, faults=script(*faults), variation=variation)
        self.cans = {n: self.world.open_can(n, c) for n, c in self.config.buses.items() if isinstance(c, CanBusConfig)}
        self.imu_line = self.world.open_serial(self.config.imu.bus, self.config.buses[self.config.imu.bus])
        self.cycle = 0
        self.feedback: dict[str, MotorFeedback] = {}
        self.frames: list[tuple[str, Frame]] = []
        self.raw_imu = b""
        self.packets: list[Hi91] = []
        self._parser = FrameParser()
        self._joint_at = {(j.motor.bus, j.motor.feedback_id): n for n, j in self.config.joints.items()}

    @property
    def now_s(self) -> float:
        return self.cycle * self.config.control_period_s

    def step(self, request: Request, cycles: int = 1) -> dict[str, MotorFeedback]:
        """Send, advance, receive; returns the feedback of the last cycle, by joint. `packets` holds all of them."""
        self.packets = []
        for _ in range(cycles):
            for name, joint in self.config.joints.items():
                data = request(name)
                if data is not None:
                    frame = data if isinstance(data, Frame) else Frame(joint.motor.id, data)
                    self.cans[joint.motor.bus].send([frame])
            self.cycle += 1
            self.world.advance_to(self.now_s)
            self._receive()
        return self.feedback

    def _receive(self) -> None:
        self.feedback, self.frames = {}, []
        for bus, can in self.cans.items():
            for frame in can.receive(self.now_s):
                self.frames.append((bus, frame))
                joint = self._joint_at[bus, frame.arbitration_id]
                self.feedback[joint] = decode_feedback(frame.data, MODELS[self.config.joints[joint].motor.model])
        self.raw_imu = self.imu_line.read(self.now_s)
        for payload in self._parser.feed(self.raw_imu):
            self.packets += [packet for packet in decode_packets(payload) if isinstance(packet, Hi91)]

    def hold(self, kp: float = 35.0, kd: float = 0.8, pose: Mapping[str, float] | None = None) -> Request:
        """MIT commands that hold the default pose, or another."""

        def data(name: str) -> bytes:
            joint = self.config.joints[name]
            target = (pose or {}).get(name, joint.default_rad)
            position = joint.direction * (target + joint.offset_rad) * joint.gear
            return encode_mit(MODELS[joint.motor.model], (position, 0.0, kp, kd, 0.0))

        return data

    def enable(self) -> dict[str, MotorFeedback]:
        return self.step(lambda _: ENABLE)

    def disable(self) -> dict[str, MotorFeedback]:
        return self.step(lambda _: DISABLE)

    def poll(self, cycles: int = 1) -> dict[str, MotorFeedback]:
        return self.step(lambda name: make_poll(self.config.joints[name].motor.id), cycles)

    def set_timeout(self, timeout_s: float) -> None:
        self.step(lambda name: make_set_timeout(self.config.joints[name].motor.id, timeout_s))

    def stand(self, cycles: int = 750) -> dict[str, MotorFeedback]:
        """Enable, and hold the default pose until it is reached."""
        self.enable()
        return self.step(self.hold(), cycles)

    def true_position(self, joint: str) -> float:
        return float(self.world.plant.position_rad[self.config.order.index(joint)])


def reported(host: Host, joint: str) -> float:
    """Joint position as a driver would turn the feedback into it."""
    config = host.config.joints[joint]
    return config.direction * host.feedback[joint].position_rad / config.gear - config.offset_rad


def register_read(host: Host, joint: str, register: int) -> Frame:
    return Frame(BROADCAST_ID, bytes((host.config.joints[joint].motor.id, 0, 0x33, register)) + bytes(4))
