"""One trained policy, ready to step: `load_policy` checks everything there is to check before anything moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from supervisor.core.clock import Clock, WallClock
from supervisor.core.command import JointCommand
from supervisor.core.errors import ConfigError, PolicyError, Problem
from supervisor.core.exchange import PolicyHealth
from supervisor.core.joints import Vector, frozen_vector
from supervisor.core.loading import Document
from supervisor.core.robot import RobotConfig
from supervisor.core.state import RobotState
from supervisor.policy.action import ActionDecoder, predicted_torque
from supervisor.policy.checks import check_contract
from supervisor.policy.contract import Contract, contract_path, read_contract
from supervisor.policy.fit import GainLimits
from supervisor.policy.health import HealthMonitor
from supervisor.policy.observation import ObservationBuilder
from supervisor.policy.session import Model, PolicySession, open_model


def load_policy(
    path: Path,
    robot: RobotConfig,
    *,
    clock: Clock | None = None,
    gain_limits: Mapping[str, GainLimits] | None = None,
) -> Policy:
    """Read a policy's contract, open its network, check both against each other and the robot, and warm up.

    Args:
        path: The contract, or the folder that holds `contract.yaml`.
        robot: The robot it is to drive.
        clock: Measures how long a step takes; the machine's clock where None.
        gain_limits: Largest stiffness and damping that each joint's motor can be told, where known.

    Raises:
        ConfigError: Every problem of contract, network and robot found.
        PolicyError: The network does not run.
    """
    contract, document = read_contract(path)
    model_path = contract_path(path).parent / contract.model.file
    try:
        model = open_model(model_path)
    except ConfigError as error:
        raise ConfigError([*check_contract(contract, document, None, robot, gain_limits), *error.problems]) from None
    problems = check_contract(contract, document, model.facts, robot, gain_limits)
    if problems:
        raise ConfigError(problems)
    policy = Policy(contract, model, robot, clock or WallClock())
    problems = list(_golden_problems(policy, document))
    if problems:
        raise ConfigError(problems)
    return policy


def _golden_problems(policy: Policy, document: Document) -> Iterator[Problem]:
    """Golden pairs that the network does not reproduce: it is not the network that the contract was written for."""
    golden = policy.contract.golden
    if golden is None:
        return
    for i, error in enumerate(policy.golden_errors()):
        if not error <= golden.tolerance:
            yield document.problem(
                ("golden", "pairs", i), f"an action that is {error:.3g} away", f"at most {golden.tolerance:g}"
            )


class Policy:
    """One trained policy. A `PolicyPort`.

    Args:
        contract: Has passed its checks against the model and the robot.
        model: The opened network.
        robot: The robot it drives.
        clock: Measures how long a step takes.

    Attributes:
        contract: What is known about the policy.
        observation_names: Names of the values that `health.observation_index` counts.
    """

    def __init__(self, contract: Contract, model: Model, robot: RobotConfig, clock: Clock) -> None:
        self.contract = contract
        config = contract.observation
        self.observation_names = tuple(config.value_name(i) for i in range(config.frame_width))
        self._order = robot.order
        self._clock = clock
        self._names = tuple(contract.command)
        axes = contract.command.values()
        self._range = (
            frozen_vector(axis.recommended[0] for axis in axes),
            frozen_vector(axis.recommended[1] for axis in axes),
        )
        self._session = PolicySession(
            model, contract.input, contract.output, (config.width, len(contract.joints)), contract.states
        )
        self._monitor = HealthMonitor(contract)
        self._builder = ObservationBuilder(contract, robot.order, self._monitor.raw, self._session.observation)
        self._decoder = ActionDecoder(contract, robot)
        self._is_recurrent = bool(contract.states)

    @property
    def period_s(self) -> float:
        """One step's period."""
        return self.contract.period_s

    @property
    def command_names(self) -> tuple[str, ...]:
        """Names of the command's components, unit included."""
        return self._names

    @property
    def command_range(self) -> tuple[Vector, Vector]:
        """Recommended smallest and largest command."""
        return self._range

    @property
    def tracked_ratio(self) -> Vector:
        """(len(command_names),) measured over commanded, as evaluated in simulation."""
        return frozen_vector(axis.tracked_ratio for axis in self.contract.command.values())

    @property
    def health(self) -> PolicyHealth:
        """What the last step said of itself; inactive before the first."""
        return self._monitor.health

    @property
    def observation(self) -> Vector:
        """(width,) float64 copy of the network's last input."""
        return self._session.observation.astype(np.float64)

    @property
    def action(self) -> Vector:
        """(n,) float64 copy of the network's last output, in the contract's joint order."""
        return self._session.action.astype(np.float64)

    def reset(self) -> None:
        """Forget history, recurrent state, clock, last action and health."""
        self._session.reset()
        self._builder.reset()
        self._monitor.reset()

    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        """Run one step.

        Args:
            state: Newest measurements.
            command: (len(command_names),).
            action_gain: 0 to 1.
            now_s: Clock.

        Returns:
            Joint targets and gains in the robot's order, or None when a measurement, the command, the gain or the
            network's output is not finite.

        Raises:
            PolicyError: State or command have another layout than the policy was loaded for.
        """
        clock, monitor, session = self._clock, self._monitor, self._session
        started_s = clock.now_s()
        if len(command) != len(self._names) or (state.order is not self._order and state.order != self._order):
            raise PolicyError(
                f"a step with {len(command)} command values and the joints {list(state.order)}; "
                f"allowed: {list(self._names)} and {list(self._order)}"
            )
        if not (0.0 <= action_gain <= 1.0 and self._builder.build(state, command)):
            monitor.refuse(clock.now_s() - started_s)
            return None
        session.run()
        monitor.action[...] = session.action
        if not monitor.measure():
            monitor.refuse(clock.now_s() - started_s)
            return None
        if self._is_recurrent:
            session.keep_state()
        targets = self._decoder.decode(monitor.action, action_gain, within_bounds=monitor.peak <= 1.0)
        self._builder.remember(self._decoder.last)
        monitor.accept(now_s, clock.now_s() - started_s)
        return targets

    def run_network(self) -> None:
        """Run the network on its last observation and drop the result: what of a step is the network's own time."""
        self._session.run()

    def golden_errors(self) -> tuple[float, ...]:
        """Largest difference between network and contract for each golden pair. Resets the policy."""
        golden = self.contract.golden
        errors: list[float] = []
        for pair in () if golden is None else golden.pairs:
            self._session.reset()
            self._session.observation[:] = pair.observation
            self._session.run()
            errors.append(float(np.abs(self._session.action - np.array(pair.action)).max()))
        self.reset()
        return tuple(errors)

    def predicted_torque(self, command: JointCommand, state: RobotState) -> Vector:
        """(n,) torque in N·m that a command would ask of each joint in this state, before any limit."""
        return predicted_torque(command, state)
