"""The control process: the control loop, on time, and nothing else.

It imports neither the tree, nor the network's runtime, nor the configuration's validator, nor the simulator; a test
looks at what it has loaded.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from drivers.bus import BusFactory, Estimator
from drivers.hardware import HardwareBuses
from drivers.listening import ListeningBuses
from drivers.plant_memory import PlantMemory
from drivers.robot_io import RobotIO
from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.ports import RobotPort
from supervisor.runtime.control import ControlCore
from supervisor.runtime.guarding import Heart
from supervisor.runtime.inputs.emergency_stop import open_emergency_stop
from supervisor.runtime.options import Voice
from supervisor.runtime.parts import ControlPart
from supervisor.runtime.processes.setup import Shared, guarded, leave_part, receive, say_ready
from supervisor.runtime.realtime.pacing import Pacer
from supervisor.runtime.realtime.scheduling import give_up_priority, take_all
from supervisor.runtime.shadow_port import ShadowPort
from supervisor.runtime.shared.latch import SharedLatch
from supervisor.runtime.shared.links import ControlLink, RingRecorder
from supervisor.runtime.shared.memory import Health, RunMemory, opened
from supervisor.safety.latch_format import Clocks, boot_id

LOOK_CYCLES: Final = 10
"""What changes slowly is looked at every so many cycles."""

ABANDONED_S: Final = 1.0
"""After this long without a sign of who started it, a process whose robot is off ends by itself."""

END: Final = 1
"""In the number of the operator's health: end as soon as the robot is off."""


@dataclass(frozen=True, slots=True)
class ControlSetup:
    """What the control process is to do.

    Attributes:
        shared: What every process needs.
        guardian: Descriptor of the socket to the guardian, inherited. None where no guardian runs: then nothing is
            commanded, whatever else is asked.
        key: Of the tokens that the guardian expects.
    """

    shared: Shared
    guardian: int | None = None
    key: bytes = b""


class Watchdog(Protocol):
    """Who is told in every cycle that the loop is alive and has judged."""

    def beat(self, snapshot: Snapshot, now_s: float) -> None:
        """One sign of life. Never raises, never waits."""
        ...

    def listen(self, now_s: float) -> None:
        """Take what it has said. Never raises, never waits."""
        ...

    def silence_s(self, now_s: float) -> float:
        """How long it was not heard; infinite before it was, and where it has stopped the robot."""
        ...

    def farewell(self) -> None:
        """Say that the loop ends, with the robot off. Never raises."""
        ...


class NothingToWatch:
    """No guardian: whoever commands nothing needs nobody to stop the robot in its place. A `Watchdog`."""

    def beat(self, snapshot: Snapshot, now_s: float) -> None:
        """Nothing."""

    def listen(self, now_s: float) -> None:
        """Nothing."""

    def silence_s(self, now_s: float) -> float:  # noqa: ARG002 (the signature of a watchdog)
        """None."""
        return 0.0

    def farewell(self) -> None:
        """Nothing."""


class ControlLoop:
    """Runs the control core at its rate until it is told to end and the robot is off.

    Args:
        core: The control core.
        link: Its end of the link.
        memory: The run's shared memory.
        pacer: When cycles begin.
        watchdog: Who is told of each cycle.
        wall_clock_s: Seconds since the epoch, whose steps are guarded.
    """

    def __init__(
        self,
        core: ControlCore,
        link: ControlLink,
        memory: RunMemory,
        pacer: Pacer,
        watchdog: Watchdog,
        wall_clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._core = core
        self._link = link
        self._memory = memory
        self._pacer = pacer
        self._watchdog = watchdog
        self._wall_clock_s = wall_clock_s
        self._clock_offset_s: float | None = None
        self._signals = 0
        self._obeyed = 0
        self._operator: Health | None = None
        self._began_s = float("nan")
        core.inputs.hashes_match = True

    def on_signal(self, number: int, frame: object) -> None:
        """Ask for an end: the first time at rest, the second time at once. What it means is decided in the loop."""
        del number, frame
        self._signals += 1

    def run(self) -> None:
        """Until the end."""
        core, pacer, beat, collect = self._core, self._pacer, self._watchdog.beat, self._link.collect
        listen, silence_s = self._watchdog.listen, self._watchdog.silence_s
        inputs, cycle, clock_s = core.inputs, 0, time.monotonic
        while True:
            pacer.wait()
            collect()
            # Read after the mission's output: however long this process was stopped in between, that is not newer.
            now_s = clock_s()
            inputs.loop_lag_mean_s, inputs.loop_lag_worst_s = pacer.lag_mean_s, pacer.lag_worst_s
            if cycle % LOOK_CYCLES == 0:
                self._look(now_s)
                listen(now_s)
            inputs.guardian_age_s = silence_s(now_s)
            if self._obeyed < self._signals:
                self._obeyed += 1
                self._link.press(OperatorAction.STOP if self._obeyed == 1 else OperatorAction.CUT)
            snapshot = core.step(now_s)
            beat(snapshot, now_s)
            if cycle % LOOK_CYCLES == 0 and self._is_over(snapshot, now_s):
                return
            cycle += 1

    def _look(self, now_s: float) -> None:
        """What changes slowly: the operator, the wall clock, and that this process lives."""
        memory, inputs = self._memory, self._core.inputs
        if self._clock_offset_s is None:
            self._began_s = now_s
        operator = memory.operator.read()
        if operator is not None:
            self._operator = operator
            inputs.operator_link_age_s = now_s - operator.stamp_s if operator.is_well else float("inf")
        offset_s = self._wall_clock_s() - now_s
        last_s, self._clock_offset_s = self._clock_offset_s, offset_s
        inputs.clock_step_s = 0.0 if last_s is None else abs(offset_s - last_s)
        memory.control.write(Health(now_s, True, self._pacer.missed))

    def _is_over(self, snapshot: Snapshot, now_s: float) -> bool:
        is_off = snapshot.arming is ArmingState.DISARMED or (
            snapshot.arming is ArmingState.STOPPED and snapshot.is_at_rest
        )
        if not is_off:
            return False
        operator = self._operator
        last_s = self._began_s if operator is None else operator.stamp_s
        is_told = self._signals > 0 or (operator is not None and operator.number == END)
        return is_told or now_s - last_s > ABANDONED_S

    def part(self) -> ControlPart:
        """What the run's summary needs of this process."""
        core, pacer = self._core, self._pacer
        return ControlPart(
            core.durations.percentiles(),
            core.overruns,
            pacer.lateness.percentiles(),
            pacer.missed,
            len(core.durations),
        )


def run_control(setup: ControlSetup, buses: BusFactory, estimator: Estimator | None) -> None:
    """Control a robot until it is over. Says "ready" on standard output once the first cycle is due.

    Raises:
        HandrailError: The shared memory or a bus cannot be opened; nothing was energised.
    """
    shared = setup.shared
    robot = shared.robot
    with opened(shared.memory, robot, shared.safety) as memory:
        listens = shared.voice is Voice.NOTHING
        robot_io = RobotIO(robot, ListeningBuses(buses) if listens else buses, estimator)
        try:
            port: RobotPort = robot_io
            if setup.guardian is None:
                port = ShadowPort(robot_io, robot, may_poll=not listens)
            link = ControlLink(memory)
            core = ControlCore(
                robot,
                shared.safety,
                port,
                link,
                RingRecorder(memory),
                latch=_shared_latch(shared, memory),
                encoder=link,
            )
            stop = open_emergency_stop(robot, robot_io)
            watchdog = _watchdog(setup, robot_io)
            effects = take_all(robot.realtime)
            loop = ControlLoop(core, link, memory, Pacer(robot.control_period_s), watchdog)
            core.emergency_stop = stop
            signal.signal(signal.SIGTERM, loop.on_signal)
            signal.signal(signal.SIGINT, loop.on_signal)
            say_ready("control", effects, core.notes)
            try:
                loop.run()
                watchdog.farewell()
            except BaseException:
                # No farewell: the guardian makes sure of it.
                core.cut(time.monotonic())
                raise
            finally:
                give_up_priority()
                stop.close()
                leave_part(loop.part())
        finally:
            robot_io.close()


def _watchdog(setup: ControlSetup, robot_io: RobotIO) -> Watchdog:
    if setup.guardian is None:
        return NothingToWatch()
    return Heart(setup.guardian, setup.key, len(setup.shared.safety.guards), robot_io.line_descriptors())


def _shared_latch(shared: Shared, memory: RunMemory) -> SharedLatch | None:
    if shared.latch is None:
        return None
    clocks = Clocks(time.monotonic, time.time, boot_id())
    return SharedLatch(memory.latch, memory.latch_kept, shared.latch, shared.robot.name, clocks)


def main() -> int:
    """Entry point of the process."""
    setup: ControlSetup = receive(sys.stdin.buffer)
    plant = setup.shared.plant
    estimator = None if plant is None else PlantMemory(plant, create=False)
    buses = HardwareBuses(is_guest=setup.guardian is None)
    return guarded(lambda: run_control(setup, buses, estimator))


if __name__ == "__main__":
    sys.exit(main())
