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

from drivers.registry import MOTOR_MAKES
from drivers.sim.derive import Derived, derive
from drivers.sim.model_copy import ASSET_FOLDER, Drive, ModelText, add_keyframe, read_model, refuse, replace_actuators
from drivers.sim.model_edits import adapt, place_imu
from drivers.sim.model_facts import JointFacts, ModelFacts, read_facts
from drivers.sim.model_poses import Poses, find_poses
from drivers.sim.new_robot_parts import RobotParts
from drivers.sim.new_robot_text import robot_text, safety_text
from drivers.sim.plant import import_mujoco
from drivers.sim.trial import Trial
from drivers.sim.wiring import MotorChoice, choose_motor, known_makes, motor_models, wire
from supervisor.core.errors import ConfigError, Problem
from supervisor.core.robot_file import Robot, load_robot

mujoco: Any = import_mujoco()

Array = NDArray[np.float64]

CONTROL_HZ = 500.0
IMU_RATE_HZ = 250.0
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
    control_hz: float = CONTROL_HZ,
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
        control_hz: Control rate.

    Raises:
        ConfigError: Every problem found with the arguments or the model; nothing has been written.
    """
    _check_arguments(name, out_dir, make, force, control_hz)
    text = read_model(mjcf)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "robot"
        facts = read_facts(_compile(text, folder), mjcf)
        facts = _within_motors(facts, make)
        adapt(text, facts, control_hz)
        poses = find_poses(facts, mjcf, keyframe, default_pose or {})
        motors = _motors(facts, make)
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
        remarks = (*text.remarks, *facts.remarks, *poses.remarks, *derived.remarks)
        parts = _parts(name, mjcf, copied, motors, poses, derived, stance, site, make, control_hz)
        (folder / "robot.yaml").write_text(robot_text(parts), encoding="utf-8")
        (folder / "safety.yaml").write_text(safety_text(parts), encoding="utf-8")
        load_robot(folder)
        _deliver(folder, out_dir)
    return NewRobotResult(out_dir, load_robot(out_dir), remarks)


def _check_arguments(name: str, out_dir: Path, make: str, force: bool, control_hz: float) -> None:
    """All problems of the command line at once."""
    problems: list[Problem] = []
    if not NAME.fullmatch(name):
        problems.append(Problem("handrail new", None, "ROBOT", repr(name), "letters, digits, - and _, at most 64"))
    if make not in known_makes():
        problems.append(Problem("handrail new", None, "--make", repr(make), " or ".join(known_makes())))
    if not (math.isfinite(control_hz) and 50.0 <= control_hz <= 2000.0):
        problems.append(Problem("handrail new", None, "control rate", f"{control_hz} Hz", "50 to 2000 Hz"))
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
    """Narrow joints that turn further than the make's messages can say."""
    margin = MOTOR_MAKES[make].position_margin_rad
    reach = min(model.position_max_rad for model in motor_models(make).values()) - margin
    joints: list[JointFacts] = []
    for joint in facts.joints:
        if max(abs(joint.low_rad), abs(joint.high_rad)) > reach:
            why = f"position_rad: the model's {joint.low_rad:g} to {joint.high_rad:g} rad is more than motors can tell"
            joints.append(
                replace(
                    joint,
                    low_rad=max(joint.low_rad, -reach),
                    high_rad=min(joint.high_rad, reach),
                    derived=(*joint.derived, why),
                )
            )
        else:
            joints.append(joint)
    return replace(facts, joints=tuple(joints))


def _motors(facts: ModelFacts, make: str) -> tuple[MotorChoice, ...]:
    """One motor per joint."""
    models = motor_models(make)
    return tuple(
        choose_motor(models, joint.torque_nm, max(abs(joint.low_rad), abs(joint.high_rad)), facts.mass_kg)
        for joint in facts.joints
    )


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
