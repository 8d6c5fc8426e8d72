"""Everything that happens before a robot is touched: reading, checking, making robot folders and signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, TypeVar

from drivers.registry import MOTOR_MAKES, motor_model
from drivers.safety_fit import age_problems, damping_problems, temperature_problems
from drivers.sim.fault_kinds import FaultScript
from drivers.sim.faults import load_faults
from drivers.wiring_check import timeout_problems, wiring_problems
from supervisor.core.clock import Clock
from supervisor.core.errors import ConfigError, Problem, RefusedError
from supervisor.core.loading import dotted, load_yaml, read_document
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import Robot, load_robot
from supervisor.diagnosis.signature import Signature, load_signature, robot_hash
from supervisor.policy.checks import GainLimits
from supervisor.policy.contract import read_contract
from supervisor.policy.policy import Policy, load_policy
from supervisor.runtime.locate import config_root, find_mission, find_policy, find_robot
from supervisor.safety.board import board_problems
from trees.missions.loader import load_mission
from trees.missions.root import create_root
from trees.missions.schema import Mission

SIGNATURE_FILE = "signature.npz"

LINE_EVERY = 20
"""Simulated robots per line of progress where lines cannot be redrawn."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Files that were read and have passed every check that needs no motors.

    Attributes:
        robot: Robot and safety file.
        policy: The opened policy.
        policy_path: Its contract.
        mission: The mission.
        mission_path: Its file.
        signature: The robot's signature, None where none was made or the robot has changed since.
        remarks: What is allowed but worth knowing.
        faults: The fault script, None for none.
    """

    robot: Robot
    policy: Policy
    policy_path: Path
    mission: Mission
    mission_path: Path
    signature: Signature | None
    remarks: tuple[str, ...]
    faults: FaultScript | None = None


@dataclass(frozen=True, slots=True)
class _MissionFile:
    """A mission that has passed its checks, and where it stands."""

    path: Path
    content: Mission


def prepare(robot_name: str, policy_name: str, mission_name: str, clock: Clock, fault: Path | None = None) -> Prepared:
    """Read and check everything.

    Args:
        robot_name: A name or a path; likewise the others.
        policy_name: The policy.
        mission_name: The mission.
        clock: What the policy measures its steps with.
        fault: Fault script, None for none.

    Raises:
        ConfigError: Every problem of every file.
        RefusedError: The files are sound, but the wiring they describe cannot work.
    """
    problems: list[Problem] = []
    robot = _read_robot(problems, robot_name)
    mission = _read_mission(problems, mission_name, robot)
    policy_path = _collect(problems, lambda: find_policy(policy_name))
    policy = None
    if robot is not None and policy_path is not None:
        limits = gain_limits(robot.config)
        policy = _collect(problems, lambda: load_policy(policy_path, robot.config, clock=clock, gain_limits=limits))
    faults = None if fault is None else _collect(problems, lambda: _read_faults(fault, robot, mission))
    signed = None if robot is None else _collect(problems, lambda: read_signature(robot))
    if problems or robot is None or policy is None or mission is None or policy_path is None or signed is None:
        raise ConfigError(problems)
    reasons = robot_problems(robot)
    if reasons:
        raise RefusedError(reasons)
    signature, remarks = signed
    return Prepared(robot, policy, policy_path, mission.content, mission.path, signature, remarks, faults)


def robot_problems(robot: Robot) -> list[str]:
    """Why a robot whose files are sound cannot work with its motors and buses, or could never be armed."""
    guards = [row.id for row in robot.safety.guards]
    ages = [row.limit for row in robot.safety.guards if row.id == "motor_age"]
    return [
        *wiring_problems(robot.config),
        *timeout_problems(robot.config),
        *temperature_problems(robot.config, guards),
        *(problem for limit_s in ages for problem in age_problems(robot.config, limit_s)),
        *damping_problems(robot.config, robot.safety.profile.damp_kd_nm_s_per_rad),
    ]


def gain_limits(robot: RobotConfig) -> dict[str, GainLimits]:
    """Largest stiffness and damping, at the joint, that each joint's motor can be told."""
    limits: dict[str, GainLimits] = {}
    for name, joint in robot.joints.items():
        make = MOTOR_MAKES.get(joint.motor.make)
        if make is not None and joint.motor.model in make.models:
            model = motor_model(joint.motor)
            squared = joint.gear * joint.gear
            limits[name] = GainLimits(model.kp_max_nm_per_rad * squared, model.kd_max_nm_s_per_rad * squared)
    return limits


def signature_path(robot: Robot) -> Path:
    """Where a robot's signature is kept: beside its file."""
    return robot.path.parent / SIGNATURE_FILE


def read_signature(robot: Robot) -> tuple[Signature | None, tuple[str, ...]]:
    """A robot's signature, if it has one that still fits.

    Returns:
        The signature, or None with the reason as a remark.

    Raises:
        ConfigError: The file is damaged.
    """
    path = signature_path(robot)
    advice = f"make one with: handrail signature {robot.path.parent}"
    if not path.is_file():
        return None, (f"{robot.config.name} has no signature, so wiring faults will not be named; {advice}",)
    signature = load_signature(path)
    model = robot.model_path.read_bytes() if robot.model_path else b""
    if signature.robot_hash != robot_hash(robot.config, model):
        return None, (f"{path} was made for another version of the robot and is not used; {advice}",)
    return signature, ()


def check_all(robot_name: str, policy_name: str | None, mission_name: str) -> list[str]:
    """What `handrail check` finds right; what is wrong is raised.

    Raises:
        ConfigError: Every problem of every file.
        RefusedError: The wiring cannot work.
    """
    from supervisor.core.clock import WallClock  # noqa: PLC0415

    if policy_name is not None:
        prepared = prepare(robot_name, policy_name, mission_name, WallClock())
        errors = prepared.policy.golden_errors()
        golden = f"{len(errors)} golden pairs, largest error {max(errors):.2e}" if errors else "no golden pairs"
        return [
            *_facts(prepared.robot, prepared.mission),
            f"policy {prepared.policy.contract.name}: {golden}",
            *prepared.remarks,
        ]
    problems: list[Problem] = []
    robot = _read_robot(problems, robot_name)
    mission = _read_mission(problems, mission_name, robot)
    signed = None if robot is None else _collect(problems, lambda: read_signature(robot))
    if problems or robot is None or mission is None or signed is None:
        raise ConfigError(problems)
    reasons = robot_problems(robot)
    if reasons:
        raise RefusedError(reasons)
    return [*_facts(robot, mission.content), *signed[1]]


def make_robot(
    name: str,
    mjcf: Path,
    *,
    make: str,
    keyframe: str | None,
    policy_name: str | None,
    output: Path | None,
    force: bool,
) -> Sequence[str]:
    """Make a robot folder from a MuJoCo model.

    Args:
        name: Name of the robot.
        mjcf: The model.
        make: Make of the motors.
        keyframe: Keyframe of the default pose, None to choose one.
        policy_name: Policy whose contract states the default pose instead, None for none.
        output: Folder to make, None for one under `config/robots`.
        force: Overwrite.

    Returns:
        What was made and derived, line by line.

    Raises:
        ConfigError: The model or an argument cannot be used; nothing was written.
    """
    from drivers.sim.new_robot import new_robot  # noqa: PLC0415

    folder = output or config_root() / "robots" / name
    pose = None
    if policy_name is not None:
        contract, _ = read_contract(find_policy(policy_name))
        pose = {joint: policy_joint.default_rad for joint, policy_joint in contract.joints.items()}
    result = new_robot(name, mjcf, folder, make, keyframe=keyframe, default_pose=pose, force=force)
    joints = result.robot.config.joints
    buses = {joint.motor.bus for joint in joints.values()}
    return [
        f"made {result.folder} with {len(joints)} joints on {len(buses)} buses",
        *result.remarks,
        "every threshold in the safety file is derived: read its reasons before you trust it",
        f"next: handrail signature {result.folder}",
    ]


def write_signature(robot_name: str, processes: int, stream: TextIO, *, healthy_only: bool = False) -> str:
    """Simulate a robot's answers and keep them beside its file.

    Raises:
        ConfigError: The robot file cannot be used.
        SimulationError: The robot cannot be simulated.
    """
    from drivers.sim.signature import simulate_answers  # noqa: PLC0415
    from supervisor.diagnosis.making import make_signature  # noqa: PLC0415
    from supervisor.diagnosis.signature import save_signature  # noqa: PLC0415

    robot = load_robot(find_robot(robot_name))

    def progress(done: int, total: int) -> None:
        if stream.isatty():
            stream.write(f"\r{done} of {total} robots simulated" + ("\n" if done == total else ""))
        elif done % LINE_EVERY == 0 or done == total:
            stream.write(f"{done} of {total} robots simulated\n")
        stream.flush()

    signature = make_signature(
        robot, simulate_answers, workers=processes or None, progress=progress, healthy_only=healthy_only
    )
    path = signature_path(robot)
    try:
        save_signature(path, signature)
    except OSError as error:
        raise ConfigError([Problem(str(path), None, "", error.strerror or str(error), "a file to write")]) from None
    return f"wrote {path}: {len(signature.hypotheses)} hypotheses, {path.stat().st_size / 1000:.0f} kB"


def _facts(robot: Robot, mission: Mission) -> list[str]:
    config = robot.config
    buses = ", ".join(config.buses)
    return [
        f"robot {config.name}: {len(config.joints)} joints on {buses}, {config.control_hz:g} Hz",
        f"safety {robot.safety_path.name}: {len(robot.safety.guards)} guards",
        f"mission {mission.name}: {len(mission.stages)} stages",
    ]


def _read_robot(problems: list[Problem], name: str) -> Robot | None:
    """The robot and its guards, or their problems."""
    path = _collect(problems, lambda: find_robot(name))
    robot = None if path is None else _collect(problems, lambda: load_robot(path))
    if robot is not None:
        problems += _guard_problems(robot)
    return robot


def _guard_problems(robot: Robot) -> list[Problem]:
    """What the guards have against their rows, with the lines of the safety file."""
    problems = list(board_problems(robot.safety, str(robot.safety_path)))
    if problems:
        lines = {dotted(path): line for path, line in read_document(robot.safety_path).lines.items()}
        problems = [replace(problem, line=lines.get(problem.key)) for problem in problems]
    return problems


def _read_mission(problems: list[Problem], name: str, robot: Robot | None) -> _MissionFile | None:
    """The mission, or its problems; with the robot's guards also those of the tree that is made of them."""
    path = _collect(problems, lambda: find_mission(name))
    safety = None if robot is None else robot.safety
    mission = None if path is None else _collect(problems, lambda: load_mission(path, safety))
    if path is None or mission is None:
        return None
    if safety is not None:
        _collect(problems, lambda: create_root(None, mission, safety))
    return _MissionFile(path, mission)


def _read_faults(path: Path, robot: Robot | None, mission: _MissionFile | None) -> FaultScript:
    """A fault script; where robot or mission could not be read, its names cannot be checked, but all else is."""
    if robot is None or mission is None:
        return load_yaml(path, FaultScript)
    return load_faults(path, robot.config, [stage.name for stage in mission.content.stages])


def _collect(problems: list[Problem], read: Callable[[], T]) -> T | None:
    """Read something; keep its problems for the common list instead of stopping at the first file."""
    try:
        return read()
    except ConfigError as error:
        problems += error.problems
        return None
