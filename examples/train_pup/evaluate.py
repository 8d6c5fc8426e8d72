"""Judge an exported policy with plain MuJoCo and onnxruntime, from contract and robot file alone.

    python evaluate.py --report report.json

Nothing is shared with the training code: the observation, the gait clock, the PD loop and the
clipping are rebuilt here from the contract, as a robot would. With `--update-contract` the
measured observation ranges and twenty golden input-output pairs are written into the contract.
"""

import argparse
import collections
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mujoco
import numpy as np
import onnxruntime
import yaml
from episodes import SUMMARISED, Episode, build_suites
from make_contract import add_measurements, write_contract

CONFIG = Path(__file__).resolve().parents[2] / "config"
POLICY_FOLDER = CONFIG / "policies" / "pup_walk"
ROBOT_FOLDER = CONFIG / "robots" / "pup"

FALL_GRAVITY_Z = -0.6  # base tilted by more than 53 degrees
FALL_HEIGHT_M = 0.13  # half of the standing height
SETTLE_S = 1.0  # stand before the command comes
TRANSIENT_S = 1.5  # left out of the measured velocity after the command came


class Runtime:
    """The policy as deployed: observation, clock, network, target, PD."""

    def __init__(self, folder: Path):
        self.contract = c = yaml.safe_load((folder / "contract.yaml").read_text())
        robot = yaml.safe_load((ROBOT_FOLDER / "robot.yaml").read_text())
        self.model = mujoco.MjModel.from_xml_path(str(ROBOT_FOLDER / robot["model"]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / c["model"]["file"]), options, providers=["CPUExecutionProvider"]
        )
        order = list(c["joints"])
        self.qpos = np.array([self.model.joint(name).qposadr[0] for name in order])
        self.qvel = np.array([self.model.joint(name).dofadr[0] for name in order])
        self.ctrl = np.array([self.model.actuator(name).id for name in order])
        self.low_rad, self.high_rad = np.array([robot["joints"][name]["position_rad"] for name in order]).T
        self.torque_nm = np.array([robot["joints"][name]["torque_nm"] for name in order])
        self.default_rad, self.scale_rad, self.kp, self.kd = (
            np.array([joint[key] for joint in c["joints"].values()])
            for key in ("default_rad", "scale_rad", "kp_nm_per_rad", "kd_nm_s_per_rad")
        )
        self.pd_hz, self.policy_hz = float(robot["control_hz"]), float(c["policy_hz"])
        self.decimation = round(self.pd_hz / self.policy_hz)

    def infer(self, observation: np.ndarray) -> np.ndarray:
        """Run the network on one raw observation, (47,) -> (12,)."""
        feed = {self.contract["input"]: observation[None].astype(np.float32)}
        return self._session.run([self.contract["output"]], feed)[0][0]


def run_episode(runtime: Runtime, episode: Episode) -> dict:
    """Simulate one episode and measure it.

    Returns:
        Whether it fell, mean velocity in the heading frame, tilt, drift, torque and joint speed
        extremes, and the observations (steps, 47) the policy was given.
    """
    model, rng = runtime.model, np.random.default_rng(episode.seed)
    trunk = model.body("trunk").id
    saved = (model.geom_friction.copy(), model.body_mass[trunk], model.body_inertia[trunk].copy())
    model.geom_friction[:, 0] = episode.friction
    model.body_mass[trunk] *= episode.trunk_mass_scale
    model.body_inertia[trunk] *= episode.trunk_mass_scale
    data = mujoco.MjData(model)
    mujoco.mj_setConst(model, data)
    try:
        return _run(runtime, episode, data, rng)
    finally:
        model.geom_friction[:], model.body_mass[trunk], model.body_inertia[trunk] = saved
        mujoco.mj_setConst(model, data)


def corrupt(observation: np.ndarray, fault: str, runtime: Runtime, first: np.ndarray) -> np.ndarray:
    """Return the observation as a robot with this fault would build it.

    Args:
        observation: (47,) as it should be.
        fault: One of `FAULTS`; those that are not in the observation change nothing.
        runtime: Knows the default pose.
        first: (47,) first observation of the episode.
    """
    wrong = observation.copy()
    if fault == "gravity sign":
        wrong[3:6] *= -1
    elif fault == "gyro sign":
        wrong[0:3] *= -1
    elif fault == "imu frozen":
        wrong[0:6] = first[0:6]
    elif fault == "joint offsets missing":
        wrong[9:21] += runtime.default_rad.astype(np.float32)
    elif fault == "clock dead":
        wrong[45:47] = 0.0
    return wrong


def _run(runtime: Runtime, episode: Episode, data: mujoco.MjData, rng: np.random.Generator) -> dict:
    c, model = runtime.contract, runtime.model
    trunk = model.body("trunk").id
    q, dq, ctrl = runtime.qpos, runtime.qvel, runtime.ctrl
    mujoco.mj_resetDataKeyframe(model, data, model.key(episode.start).id)
    if episode.noise:
        data.qpos[q] += rng.uniform(-0.05, 0.05, 12)
    mujoco.mj_forward(model, data)
    limit_nm = runtime.torque_nm

    def hold(target_rad: np.ndarray) -> None:
        torque = runtime.kp * (target_rad - data.qpos[q]) - runtime.kd * data.qvel[dq]
        if episode.fault == "fl_calf motor dead":
            torque[2] = 0.0
        data.ctrl[ctrl] = np.clip(torque, -limit_nm, limit_nm)
        mujoco.mj_step(model, data)

    if episode.start == "rest":
        begin = data.qpos[q].copy()
        for ratio in np.linspace(0, 1, round(2.0 * runtime.pd_hz)):
            hold(begin + ratio * (runtime.default_rad - begin))
    start_position = data.qpos[:2].copy()

    scale = runtime.scale_rad
    threshold = c["clock"]["moving_threshold"]
    advance = c["clock"]["frequency_hz"] / runtime.policy_hz
    phase, last_action, time_s = 0.0, np.zeros(12), 0.0
    targets = collections.deque([runtime.default_rad] * (episode.delay_steps + 1))
    observations, actions, velocities, yaw_rates = [], [], [], []
    worst = {"tilt_rad": 0.0, "torque_nm": 0.0, "joint_velocity_rad_per_s": 0.0, "minimum_height_m": 1.0}
    fallen, command, period = False, np.zeros(3), 1.0 / runtime.policy_hz
    gain, pushes = episode.gain, [3.0, 6.0] if episode.push_m_per_s else []

    for _ in range(round((SETTLE_S + episode.duration_s) / period)):
        if time_s >= SETTLE_S:
            command = np.array(episode.command)
        if episode.stop_after_s is not None and time_s >= SETTLE_S + episode.stop_after_s:
            command = np.zeros(3)
        if episode.gain_after_s is not None and time_s >= SETTLE_S + episode.gain_after_s[0]:
            gain = episode.gain_after_s[1]
        if pushes and time_s >= SETTLE_S + pushes[0]:
            pushes.pop(0)
            data.qvel[1] += episode.push_m_per_s * rng.choice([-1, 1])

        moving = np.linalg.norm(command) >= threshold
        phase = phase if moving else 0.0
        clock = np.array([np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)]) * moving
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, data.sensor("imu_quat").data)
        gravity = -rotation.reshape(3, 3)[2]
        parts = [
            data.sensor("imu_gyro").data.copy(),
            gravity,
            command,
            data.qpos[q] - runtime.default_rad,
            data.qvel[dq].copy(),
            last_action,
            clock,
        ]
        if episode.noise:
            parts[0] = parts[0] + rng.uniform(-0.15, 0.15, 3)
            parts[1] = parts[1] + rng.uniform(-0.03, 0.03, 3)
            parts[3] = parts[3] + rng.uniform(-0.01, 0.01, 12)
            parts[4] = parts[4] + rng.uniform(-0.5, 0.5, 12)
        observation = np.concatenate(parts).astype(np.float32)
        observation = corrupt(observation, episode.fault, runtime, observations[0] if observations else observation)
        action = runtime.infer(observation)
        if episode.fault == "front legs swapped":
            action = action[[3, 4, 5, 0, 1, 2, 6, 7, 8, 9, 10, 11]]
        if episode.fault == "actions random":
            action = rng.uniform(-1, 1, 12).astype(np.float32)
        observations.append(observation)
        actions.append(action)
        last_action = action
        phase = (phase + advance) % 1.0 if moving else 0.0

        target = runtime.default_rad + gain * scale * action
        targets.append(np.clip(target, runtime.low_rad, runtime.high_rad))
        targets.popleft()
        for _ in range(runtime.decimation):
            hold(targets[0])
            worst["torque_nm"] = max(worst["torque_nm"], float(np.abs(data.ctrl).max()))
            worst["joint_velocity_rad_per_s"] = max(
                worst["joint_velocity_rad_per_s"], float(np.abs(data.qvel[dq]).max())
            )
        time_s += period

        up = data.xmat[trunk].reshape(3, 3)
        heading = np.arctan2(up[1, 0], up[0, 0])
        along = np.array([np.cos(heading), np.sin(heading)])
        vx, vy = data.qvel[:2] @ along, data.qvel[:2] @ np.array([-along[1], along[0]])
        worst["tilt_rad"] = max(worst["tilt_rad"], float(np.arccos(np.clip(up[2, 2], -1, 1))))
        worst["minimum_height_m"] = min(worst["minimum_height_m"], float(data.qpos[2]))
        if time_s > SETTLE_S + TRANSIENT_S and episode.stop_after_s is None:
            velocities.append((vx, vy))
            yaw_rates.append((up @ data.qvel[3:6])[2])
        if -up[2, 2] > FALL_GRAVITY_Z or data.qpos[2] < FALL_HEIGHT_M or not np.isfinite(data.qpos).all():
            fallen = True
            break

    mean = [*np.mean(velocities, axis=0), np.mean(yaw_rates)] if velocities else [vx, vy, 0.0]
    wanted = np.array(episode.command) if episode.stop_after_s is None else np.zeros(3)
    error = float(np.hypot(*(np.array(mean[:2]) - wanted[:2])))
    yaw_error = float(abs(mean[2] - wanted[2]))
    speed = float(np.hypot(*wanted[:2]))
    followed = error < max(0.15, 0.35 * speed) and yaw_error < max(0.25, 0.35 * abs(wanted[2]))
    return {
        "fallen": fallen,
        "success": bool(not fallen and followed),
        "mean_velocity": [round(float(v), 3) for v in mean],
        "error_m_per_s": round(error, 3),
        "yaw_error_rad_per_s": round(yaw_error, 3),
        "drift_m": round(float(np.hypot(*(data.qpos[:2] - start_position))), 3),
        "final_speed_m_per_s": round(float(np.hypot(vx, vy)), 3),
        **{name: round(value, 3) for name, value in worst.items()},
        "observations": np.array(observations),
        "actions": np.array(actions),
    }


_worker: dict[str, Runtime] = {}  # each worker process loads the model once


def _start_worker(folder: Path) -> None:
    _worker["runtime"] = Runtime(folder)


def _work(episode: Episode) -> dict:
    result = run_episode(_worker["runtime"], episode)
    # A tenth of the steps is plenty for percentiles, and keeps what workers send small.
    observations = result.pop("observations")
    actions = result.pop("actions")
    result["range"] = (observations.min(0), observations.max(0), observations[::10], actions[::10])
    return result


def measure_damping(runtime: Runtime, damping_nm_s_per_rad: float) -> dict:
    """Stand, then let every joint only brake, as a supervisor does when it gives up holding.

    Returns:
        Seconds until the belly pad is within 1 cm of the floor, the largest downward speed of the
        base, its tilt, and its final height.
    """
    model, data = runtime.model, mujoco.MjData(runtime.model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("stand").id)
    rest_height_m = model.key("rest").qpos[2]
    step_hz = runtime.pd_hz
    down_s, sinking, tilt = None, 0.0, 0.0
    for step in range(round(5.0 * step_hz)):
        time_s = step / step_hz - 1.0  # the first second stands
        torque = runtime.kp * (runtime.default_rad - data.qpos[runtime.qpos]) - runtime.kd * data.qvel[runtime.qvel]
        if time_s >= 0:
            torque = -damping_nm_s_per_rad * data.qvel[runtime.qvel]
            sinking = max(sinking, -float(data.qvel[2]))
            tilt = max(tilt, float(np.arccos(np.clip(data.body("trunk").xmat[8], -1, 1))))
            if down_s is None and data.qpos[2] < rest_height_m + 0.01:
                down_s = round(time_s, 2)
        data.ctrl[runtime.ctrl] = np.clip(torque, -runtime.torque_nm, runtime.torque_nm)
        mujoco.mj_step(model, data)
    return {
        "down_after_s": down_s,
        "peak_sinking_m_per_s": round(sinking, 2),
        "tilt_rad": round(tilt, 3),
        "final_height_m": round(float(data.qpos[2]), 3),
    }


def summarise_grid(results: dict[str, dict]) -> dict:
    """Return success, falls, error and worst tilt, overall and along each axis of the grid."""
    tables: dict[str, dict[str, list]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for label, result in results.items():
        fields = dict(part.split("=") for part in label.split(" (")[0].split())
        fields["command"] = "(" + label.split(" (")[1]
        fields["friction x delay"] = f"{fields['friction']} x {fields['delay']}"
        fields["mass x delay"] = f"{fields['mass']} x {fields['delay']}"
        for axis, value in fields.items():
            tables[axis][value].append(result)

    def summarise(rows: list[dict]) -> dict:
        return {
            "episodes": len(rows),
            "success": round(float(np.mean([row["success"] for row in rows])), 3),
            "within_0.1_m_per_s": round(float(np.mean([row["error_m_per_s"] < 0.1 for row in rows])), 3),
            "fallen": round(float(np.mean([row["fallen"] for row in rows])), 3),
            "mean_error_m_per_s": round(float(np.mean([row["error_m_per_s"] for row in rows])), 3),
            "largest_tilt_rad": max(row["tilt_rad"] for row in rows),
        }

    summary = {axis: {value: summarise(rows) for value, rows in table.items()} for axis, table in tables.items()}
    summary["all"] = summarise(list(results.values()))
    return summary


def update_contract(folder: Path, results: list[dict], runtime: Runtime) -> None:
    """Write measured observation ranges and golden pairs into the contract."""
    upright = [r["range"] for r in results if not r["fallen"]]
    samples = np.concatenate([r[2] for r in upright])
    minimum, maximum = np.min([r[0] for r in upright], axis=0), np.max([r[1] for r in upright], axis=0)
    rng = np.random.default_rng(0)
    neutral = np.zeros(47, np.float32)
    neutral[5] = -1.0  # upright, still, at the default pose, no command
    chosen = [neutral, maximum.astype(np.float32), *samples[rng.choice(len(samples), 18, replace=False)]]
    add_measurements(runtime.contract, minimum, maximum, [(row, runtime.infer(row)) for row in chosen])
    write_contract(runtime.contract, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=POLICY_FOLDER, help="holds contract.yaml and policy.onnx")
    parser.add_argument("--report", type=Path, default=Path("report.json"))
    parser.add_argument("--suites", nargs="*", help="default: all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--update-contract", action="store_true")
    arguments = parser.parse_args()

    suites = build_suites()
    if arguments.suites:
        suites = {name: suites[name] for name in arguments.suites}
    jobs = [(name, label, episode) for name, suite in suites.items() for label, episode in suite.items()]
    with ProcessPoolExecutor(arguments.workers, initializer=_start_worker, initargs=(arguments.folder,)) as pool:
        results = list(pool.map(_work, [job[2] for job in jobs], chunksize=4))

    if arguments.update_contract:
        healthy = [r for job, r in zip(jobs, results, strict=True) if job[0] not in ("faults", "beyond")]
        update_contract(arguments.folder, healthy, Runtime(arguments.folder))
    report: dict[str, dict] = collections.defaultdict(dict)
    for (name, label, _), result in zip(jobs, results, strict=True):
        report[name][label] = {key: value for key, value in result.items() if key != "range"}
    for name, suite in report.items():
        if name not in SUMMARISED:
            print(f"\n{name}")
            for label, r in suite.items():
                print(
                    f"  {label:42s} v={r['mean_velocity']} drift={r['drift_m']:.2f} m "
                    f"final={r['final_speed_m_per_s']:.2f} m/s tilt={np.degrees(r['tilt_rad']):.1f} deg "
                    f"z>={r['minimum_height_m']:.3f} tau={r['torque_nm']:.1f} dq={r['joint_velocity_rad_per_s']:.1f} "
                    f"{'FELL' if r['fallen'] else ('ok' if r['success'] else 'off')}"
                )
    runtime = Runtime(arguments.folder)
    print("\ndamping from standing")
    for damping in (1.0, 2.0, 4.0):
        report["damping"][f"{damping} Nms/rad"] = result = measure_damping(runtime, damping)
        print(f"  {damping} Nms/rad: {result}")
    for name in SUMMARISED:
        if name in report:
            report[f"{name}_summary"] = summary = summarise_grid(report[name])
            shown = "success" if name == "grid" else "fallen"
            print(f"\n{name}: {shown}")
            for axis, table in summary.items():
                print(f"  {axis}: {table if axis == 'all' else {v: t[shown] for v, t in table.items()}}")
    arguments.report.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
