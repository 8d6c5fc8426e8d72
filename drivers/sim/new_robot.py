"""`handrail new`: a robot folder from any MuJoCo model with a free base.

The folder holds `robot.yaml`, `safety.yaml` and a self-contained copy of the model, and loads and simulates as it
is. What the model does not state is derived, and each derived number says so where it stands.
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.capabilities import MAXIMUM_BUS_LOAD
from drivers.registry import MOTOR_MAKES
from drivers.sim.derive import Derived, derive
from drivers.sim.model_copy import ASSET_FOLDER, Drive, ModelText, add_keyframe, read_model, refuse, replace_actuators
from drivers.sim.model_edits import adapt, place_imu
from drivers.sim.model_facts import JointFacts, ModelFacts, read_facts
from drivers.sim.model_poses import Poses, find_poses
from drivers.sim.new_robot_parts import RobotParts
from drivers.sim.new_robot_remarks import make_remarks
from drivers.sim.new_robot_text import robot_text, safety_text
from drivers.sim.plant import import_mujoco
from drivers.sim.trial import Trial, hanging_pose_rad
from drivers.sim.wiring import (
    MotorChoice,
    bus_load,
    fit_motor,
    known_makes,
    motor_models,
    motors_per_bus,
    strongest,
    usual_control_hz,
    wire,
)
from supervisor.core.errors import ConfigError, Problem
from supervisor.core.robot_file import Robot, load_robot

mujoco: Any = import_mujoco()

Array = NDArray[np.float64]

IMU_RATE_HZ = 250.0
POSITION_STEP_RAD = 0.0001
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
KEYFRAME = "handrail_default"
OWN_FILES = ("robot.yaml", "safety.yaml", "model.xml", "signature.npz")


@dataclass(frozen=True, slots=True)
class NewRobotResult:
    """What was made.

    Attributes:
        folder: The robot folder.
        robot: Its files, read back and checked.
        remarks: What was derived, changed or left out, in plain words.
    """

    folder: Path
    robot: Robot
    remarks: tuple[str, ...]


def new_robot(
    name: str,
    mjcf: Path,
    out_dir: Path,
    make: str = "damiao",
    *,
    keyframe: str | None = None,
    default_pose: Mapping[str, float] | None = None,
    force: bool = False,
    control_hz: float | None = None,
) -> NewRobotResult:
    """Make a robot folder from a MuJoCo model.

    Args:
        name: Name of the robot.
        mjcf: The model; includes, sub-models and assets are followed.
        out_dir: The robot folder to write.
        make: Make of the motors.
        keyframe: Keyframe of the model that is the default pose; None to choose one by its usual names.
        default_pose: Position per joint, rad, instead of the keyframe's: a policy says in its contract what its action
            is added to, and that need not be a pose that the model knows.
        force: Overwrite the files of a robot folder that exists. Other files in it are left alone.
        control_hz: Control rate; None for the fastest usual one at which a bus of the make carries a limb.

    Raises:
        ConfigError: Every problem found with the arguments or the model; nothing has been written.
    """
    _check_arguments(name, out_dir, make, force, control_hz)
    control_hz = usual_control_hz(make) if control_hz is None else control_hz
    text = read_model(mjcf)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "robot"
        facts = read_facts(_compile(text, folder), mjcf)
        facts = _within_motors(facts, make)
        adapt(text, facts, control_hz)
        poses = find_poses(facts, mjcf, keyframe, default_pose or {})
        motors = _motors(facts, make, mjcf)
        replace_actuators(
            text, [Drive(joint.name, motor.torque_nm) for joint, motor in zip(facts.joints, motors, strict=True)]
        )
        site = place_imu(text, facts)
        copied = read_facts(_compile(text, folder), mjcf)
        _same_robot(facts, copied, mjcf)
        copied = replace(copied, joints=facts.joints)  # limits and gains as the model's own actuators state them
        derived = derive(copied, motors, poses.qpos, poses.default_rad, poses.rest_rad)
        stance = _add_keyframe(text, copied, motors, poses)
        text.write(folder)
        parts = _parts(name, mjcf, copied, motors, poses, derived, stance, site, make, control_hz)
        remarks = (*text.remarks, *facts.remarks, *poses.remarks, *derived.remarks, *make_remarks(parts))
        (folder / "robot.yaml").write_text(robot_text(parts), encoding="utf-8")
        (folder / "safety.yaml").write_text(safety_text(parts), encoding="utf-8")
        load_robot(folder)
        _deliver(folder, out_dir)
    return NewRobotResult(out_dir, load_robot(out_dir), remarks)


def _check_arguments(name: str, out_dir: Path, make: str, force: bool, control_hz: float | None) -> None:
    """All problems of the command line at once."""
    problems: list[Problem] = []
    if not NAME.fullmatch(name):
        problems.append(Problem("handrail new", None, "ROBOT", repr(name), "letters, digits, - and _, at most 64"))
    if make not in known_makes():
        problems.append(Problem("handrail new", None, "--make", repr(make), " or ".join(known_makes())))
    if control_hz is not None and not (math.isfinite(control_hz) and 50.0 <= control_hz <= 2000.0):
        problems.append(Problem("handrail new", None, "control rate", f"{control_hz} Hz", "50 to 2000 Hz"))
    elif control_hz is not None and make in known_makes() and not motors_per_bus(MOTOR_MAKES[make], control_hz):
        found = f"{control_hz:g} Hz, at which one motor of {make} loads a bus by {bus_load(1, control_hz, make):.0%}"
        allowed = f"at most {MAXIMUM_BUS_LOAD:.0%}; {usual_control_hz(make):g} Hz fits"
        problems.append(Problem("handrail new", None, "control rate", found, allowed))
    if out_dir.exists() and not out_dir.is_dir():
        problems.append(Problem(str(out_dir), None, "", "a file", "a folder to write, or a new name"))
    elif out_dir.is_dir() and any(out_dir.iterdir()) and not force:
        problems.append(Problem(str(out_dir), None, "", "a folder that is not empty", "another --out, or --force"))
    if problems:
        raise ConfigError(problems)


def _compile(text: ModelText, folder: Path) -> Any:
    """Write the copy and load it as MuJoCo will."""
    path = text.write(folder)
    try:
        return mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, RuntimeError) as error:
        raise refuse(
            text.source, f"its copy does not load: {' '.join(str(error).split())}", "a model that can be copied"
        ) from None


def _same_robot(before: ModelFacts, after: ModelFacts, source: Path) -> None:
    """A copy must be the same robot: the same joints, masses and inertias."""
    same = [joint.name for joint in before.joints] == [joint.name for joint in after.joints]
    same = same and before.model.nq == after.model.nq and before.model.nbody == after.model.nbody
    if same:
        same = bool(
            np.allclose(before.model.body_mass, after.model.body_mass, rtol=1e-6)
            and np.allclose(before.model.body_inertia, after.model.body_inertia, rtol=1e-4, atol=1e-9)
            and np.allclose(before.model.body_ipos, after.model.body_ipos, atol=1e-6)
        )
    if not same:
        raise refuse(source, "a model that changes when it is copied", "a model that MuJoCo saves faithfully")


def _within_motors(facts: ModelFacts, make: str) -> ModelFacts:
    """Narrow joints that turn further than the make's messages can say, wherever their motor's zero is."""
    margin = MOTOR_MAKES[make].position_margin_rad
    # To whole steps of what the file writes, downwards.
    reach = min(model.position_max_rad for model in motor_models(make).values()) - margin
    reach = math.floor(reach / POSITION_STEP_RAD) * POSITION_STEP_RAD
    joints: list[JointFacts] = []
    for joint in facts.joints:
        low, high = joint.low_rad, joint.high_rad
        if high - low > 2.0 * (reach - POSITION_STEP_RAD):
            why = f"position_rad: the model's {low:g} to {high:g} rad is more than motors can tell"
            low, high = max(low, -reach), min(high, reach)
            joint = replace(joint, low_rad=low, high_rad=high, derived=(*joint.derived, why))  # noqa: PLW2901
        joints.append(joint)
    return replace(facts, joints=tuple(joints))


def _motors(facts: ModelFacts, make: str, mjcf: Path) -> tuple[MotorChoice, ...]:
    """One motor per joint.

    Raises:
        ConfigError: No motor of the make is strong enough for a joint.
    """
    fitted = {joint.name: _fit(joint, make, facts) for joint in facts.joints}
    missing = [joint for joint in facts.joints if fitted[joint.name] is None]
    if missing:
        worst = max(missing, key=lambda joint: joint.torque_nm / _strongest(joint, make).torque_nm)
        best = _strongest(worst, make)
        found = (
            f"motors of {make} are too weak for {len(missing)} of {len(facts.joints)} joints: {worst.name} needs "
            f"{worst.torque_nm:g} N·m, and a {best.model.name} with a gear of {best.gear:g}, which is what its range "
            f"leaves room for, gives {best.torque_nm:.3g} N·m"
        )
        others = [
            other for other in known_makes() if all(_fit(joint, other, facts) is not None for joint in facts.joints)
        ]
        raise refuse(mjcf, found, f"a make whose motors reach it ({', '.join(others) or 'none does'})", "--make")
    return tuple(choice for choice in fitted.values() if choice is not None)


def _fit(joint: JointFacts, make: str, facts: ModelFacts) -> MotorChoice | None:
    return fit_motor(make, joint.torque_nm, (joint.low_rad, joint.high_rad), facts.mass_kg)


def _strongest(joint: JointFacts, make: str) -> MotorChoice:
    return strongest(make, (joint.low_rad, joint.high_rad))


def _starts(
    make: str, facts: ModelFacts, motors: tuple[MotorChoice, ...], poses: Poses, derived: Derived
) -> Array | None:
    """(n, 2) around where the limp joints hang, as wide as the make can tell; None for makes that always know."""
    span = MOTOR_MAKES[make].start_span_max_rad
    if span <= 0.0:
        return None
    trial = Trial(facts, np.array([motor.torque_nm for motor in motors]), poses.qpos)
    hanging = hanging_pose_rad(trial, derived.gantry, poses.default_rad)
    half = np.array([math.floor(0.5 * span / motor.gear * 1e3) / 1e3 for motor in motors])
    middle = np.round(hanging, 2)
    return np.column_stack((middle - half, middle + half))


def _add_keyframe(text: ModelText, facts: ModelFacts, motors: tuple[MotorChoice, ...], poses: Poses) -> Trial:
    """The default pose as a keyframe with the feet on the floor; returns the robot standing in it."""
    trial = Trial(facts, np.array([motor.torque_nm for motor in motors]), poses.qpos)
    trial.place(poses.default_rad)
    add_keyframe(text, KEYFRAME, (float(value) for value in trial.data.qpos))
    return trial


def _parts(
    name: str,
    mjcf: Path,
    facts: ModelFacts,
    motors: tuple[MotorChoice, ...],
    poses: Poses,
    derived: Derived,
    stance: Trial,
    site: str,
    make: str,
    control_hz: float,
) -> RobotParts:
    return RobotParts(
        name=name,
        source=mjcf.name,
        facts=facts,
        motors=motors,
        slots=wire([(joint.name, joint.limb) for joint in facts.joints], control_hz, make),
        default_rad=poses.default_rad,
        default_from=poses.origin,
        derived=derived,
        com_height_m=stance.com_height_m(),
        tip_rad=stance.tip_rad(),
        imu_site=site,
        imu_rate_hz=IMU_RATE_HZ,
        keyframe=KEYFRAME,
        make=make,
        control_hz=control_hz,
        starts_within_rad=_starts(make, facts, motors, poses, derived),
    )


def _deliver(folder: Path, out_dir: Path) -> None:
    """Move the finished folder's files to their place; what is not ours stays."""
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for file in OWN_FILES:
            (out_dir / file).unlink(missing_ok=True)
        shutil.rmtree(out_dir / ASSET_FOLDER, ignore_errors=True)
        shutil.copytree(folder, out_dir, dirs_exist_ok=True)
    except OSError as error:
        raise refuse(out_dir, error.strerror or str(error), "a folder that can be written", "--out") from None
