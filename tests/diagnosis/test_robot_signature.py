"""The signature: features from a recording, the file, and inference on synthetic answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from supervisor.core.errors import ConfigError, SimulationError
from supervisor.core.exchange import PolicyHealth, Snapshot
from supervisor.core.levels import Support
from supervisor.core.moves import Move, MovePlan
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import Robot, load_robot
from supervisor.core.signature import Hypothesis, Samples, Trial
from supervisor.diagnosis.features import features, layout, move_errors, resting_features
from supervisor.diagnosis.hypotheses import single_faults
from supervisor.diagnosis.judge import StageJudge
from supervisor.diagnosis.making import Answer, build_signature, make_signature
from supervisor.diagnosis.plan import default_move_plan
from supervisor.diagnosis.signature import Signature, load_signature, robot_hash, save_signature

Make = Callable[..., RobotConfig]

TWELVE = tuple(f"{leg}_{joint}" for leg in ("fl", "fr", "rl", "rr") for joint in ("hip", "thigh", "calf"))


def recording(plan: MovePlan, joints: int, *, torque_of: dict[str, float] | None = None) -> Samples:
    """Every label of a plan, ten samples each; a label's torque and rate are constant."""
    labels: list[str] = []
    for support in dict.fromkeys(move.support for move in plan.moves):
        labels.append(plan.baseline_label(support))
        for move in plan.moves:
            if move.support is support:
                labels += [move.label("out"), move.label("measure")]
    index = np.repeat(np.arange(len(labels), dtype=np.int32), 10)
    count = len(index)
    torque = np.zeros((count, joints))
    rate = np.zeros((count, 3))
    for label, value in (torque_of or {}).items():
        torque[index == labels.index(label)] = value
    rate[:, 0] = np.tile(np.arange(10.0), len(labels))
    gravity = np.tile([0.0, 0.0, -1.0], (count, 1))
    return Samples(0.02 * np.arange(count), np.zeros((count, joints)), torque, gravity, rate, index, tuple(labels))


@pytest.fixture
def plan(make_robot: Make) -> MovePlan:
    return default_move_plan(make_robot())


def synthetic(robot: RobotConfig, seed: int = 0, members: int = 12) -> Signature:
    """A signature whose hypotheses are far apart and whose healthy robots vary along one direction."""
    rng = np.random.default_rng(seed)
    plan = default_move_plan(robot)
    width = sum(block.size for block in layout(plan, len(robot.order)))
    hypotheses = single_faults(robot)
    answers = [Answer(2.0 * rng.normal(size=width), np.zeros(len(robot.order))) for _ in hypotheses]
    way = rng.normal(size=width)
    varied = [
        Answer(answers[0].features + 0.5 * rng.normal() * way + 0.01 * rng.normal(size=width), np.zeros(3))
        for _ in range(members)
    ]
    return build_signature(robot, b"model", plan, hypotheses, answers, varied)


def test_features_are_changes_against_the_support_s_own_baseline(plan: MovePlan):
    move = next(move for move in plan.moves if move.support is Support.LOWERED)
    torque = {plan.baseline_label(Support.LOWERED): 1.0, move.label("measure"): 1.5}
    found = features(recording(plan, 3, torque_of=torque), plan, 3)
    blocks = {(block.label, block.quantity): found[block.span] for block in layout(plan, 3)}
    stem = move.label("measure").removesuffix("/measure")
    assert np.allclose(blocks[stem, "torque"], 0.5)
    assert np.allclose(blocks[plan.baseline_label(Support.LOWERED), "torque"], 1.0)
    assert np.allclose(blocks[plan.baseline_label(Support.GANTRY), "torque"], 0.0)
    assert np.allclose(blocks[stem, "gravity"], 0.0)
    assert np.allclose(blocks[stem, "rate"], [2.0, 0.0, 0.0, 7.0, 0.0, 0.0])


def test_what_was_not_recorded_is_nan_and_the_rest_is_there(plan: MovePlan):
    whole = recording(plan, 3)
    keep = [i for i, label in enumerate(whole.labels) if label.startswith("gantry")]
    rows = np.isin(whole.label_index, keep)
    part = replace(
        whole,
        **{
            name: getattr(whole, name)[rows]
            for name in (
                "time_s",
                "position_rad",
                "torque_nm",
                "gravity_in_base",
                "angular_velocity_base_in_base_rad_per_s",
                "label_index",
            )
        },
    )
    found = features(part, plan, 3)
    for block in layout(plan, 3):
        assert np.isfinite(found[block.span]).all() == block.label.startswith("gantry")


def test_a_robot_at_rest_gives_the_gantry_baseline_only(plan: MovePlan, make_robot: Make):
    robot = make_robot()
    default = robot.vector("default_rad")
    samples = replace(
        recording(plan, 3),
        position_rad=np.tile(default, (len(recording(plan, 3).time_s), 1)),
        torque_nm=np.full((len(recording(plan, 3).time_s), 3), 0.7),
    )
    found = resting_features(samples, plan, robot.order, default)
    assert np.allclose(found[:3], 0.7)
    assert np.isfinite(found[:6]).all()
    assert np.isnan(found[6:]).all()
    elsewhere = replace(samples, position_rad=samples.position_rad + 0.1)
    assert np.isnan(resting_features(elsewhere, plan, robot.order, default)).all()
    assert np.isfinite(resting_features(elsewhere, plan, robot.order, None)[:6]).all()
    moving = replace(samples, position_rad=samples.position_rad + samples.time_s[:, None])
    assert np.isnan(resting_features(moving, plan, robot.order, None)).all()


def test_move_errors_name_the_joint_that_did_not_move_and_the_one_that_should_not_have(
    plan: MovePlan, make_robot: Make
):
    robot, samples = make_robot(), recording(plan, 3)
    position = samples.position_rad.copy()
    for move in plan.moves:
        rows = samples.label_index == samples.labels.index(move.label("measure"))
        position[rows, robot.order.index(move.joint)] = move.offset_rad
    right = move_errors(replace(samples, position_rad=position), plan, robot.order)
    assert right == pytest.approx({"move_error_max_rad": 0.0, "move_crosstalk_max_rad": 0.0})
    swapped = position[:, [1, 0, 2]]
    found = move_errors(replace(samples, position_rad=swapped), plan, robot.order)
    assert found["move_error_max_rad"] == pytest.approx(0.2)
    assert found["move_crosstalk_max_rad"] == pytest.approx(0.2)


@pytest.mark.parametrize("names", [TWELVE, tuple(f"{n}_hip" for n in range(29))], ids=["12 joints", "29 joints"])
def test_the_plan_keeps_inside_the_limits_and_the_time(names: tuple[str, ...], make_robot: Make):
    robot = make_robot(names)
    plan = default_move_plan(robot)
    for move in plan.moves:
        joint = robot.joints[move.joint]
        low, high = joint.position_rad
        assert low < joint.default_rad + move.offset_rad < high
    assert {move.joint for move in plan.moves} == set(names)
    assert len({move.label("out") for move in plan.moves}) == len(plan.moves)
    duration = len(plan.moves) * plan.cycle_s + 2.0 * (plan.settle_s + plan.baseline_s)
    assert duration <= (45.0 if len(names) == 12 else 110.0)


def test_a_joint_near_its_limit_is_moved_the_other_way(make_robot: Make):
    robot = make_robot()
    hip = replace(robot.joints["hip"], position_rad=(-0.75, 0.1))
    plan = default_move_plan(replace(robot, joints={**robot.joints, "hip": hip}))
    gantry = next(move for move in plan.moves if move.joint == "hip" and move.support is Support.GANTRY)
    assert gantry.offset_rad == pytest.approx(-0.2)


def test_every_pair_of_a_small_robot_may_be_swapped_and_only_wired_pairs_of_a_large_one(make_robot: Make):
    small = single_faults(make_robot(TWELVE))
    assert sum(h.kind == "swapped_ids" for h in small) == 66
    assert small[0].kind == "nominal"
    assert len(set(small)) == len(small)
    large = make_robot(tuple(f"{side}_{n}_hip" for side in ("left", "right") for n in range(10)))
    joints = {
        name: replace(joint, motor=replace(joint.motor, bus=f"can{i // 10}"))
        for i, (name, joint) in enumerate(large.joints.items())
    }
    pairs = [h.joints for h in single_faults(replace(large, joints=joints)) if h.kind == "swapped_ids"]
    assert len(pairs) == 2 * 45 + 10
    assert ("left_3_hip", "right_3_hip") in pairs
    assert ("left_3_hip", "right_4_hip") not in pairs


def test_a_signature_file_gives_back_what_was_saved(tmp_path: Path, make_robot: Make):
    signature = synthetic(make_robot())
    path = tmp_path / "signature.npz"
    save_signature(path, signature)
    loaded = load_signature(path)
    assert loaded.plan == signature.plan
    assert loaded.hypotheses == signature.hypotheses
    assert loaded.order == signature.order
    assert loaded.robot_hash == signature.robot_hash
    assert np.allclose(loaded.answers, signature.answers, rtol=1e-3, atol=1e-3 * signature.sigma.max())
    assert np.allclose(loaded.ensemble, signature.ensemble, rtol=1e-3, atol=1e-3 * signature.sigma.max())
    measured = signature.answers[7]
    assert loaded.explain(measured)[0].hypothesis == signature.explain(measured)[0].hypothesis


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"], ids=["empty", "text", "cut"])
def test_a_file_that_is_no_signature_is_a_config_error(tmp_path: Path, content: bytes):
    path = tmp_path / "signature.npz"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"signature\.npz"):
        load_signature(path)


def test_a_missing_a_foreign_and_a_damaged_signature_are_config_errors(tmp_path: Path, make_robot: Make):
    with pytest.raises(ConfigError, match="no such file"):
        load_signature(tmp_path / "signature.npz")
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    with pytest.raises(ConfigError, match="not a signature"):
        load_signature(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", head=np.array([{"schema": 1}], dtype=object))
    with pytest.raises(ConfigError, match="not a signature"):
        load_signature(tmp_path / "objects.npz")
    signature = synthetic(make_robot())
    for name, damaged in (
        ("short", replace(signature, answers=signature.answers[:-1])),
        ("nan", replace(signature, answers=np.where(signature.answers > 1.0, np.nan, signature.answers))),
        ("pose", replace(signature, passive_pose_rad=np.zeros(2))),
    ):
        save_signature(tmp_path / f"{name}.npz", damaged)
        with pytest.raises(ConfigError, match="not a signature"):
            load_signature(tmp_path / f"{name}.npz")


def test_the_hash_changes_with_what_the_answers_depend_on(make_robot: Make):
    robot = make_robot()
    same = robot_hash(robot, b"model")
    assert robot_hash(make_robot(), b"model") == same
    assert robot_hash(robot, b"other") != same
    stiffer = replace(robot.joints["hip"], kp_nm_per_rad=36.0)
    assert robot_hash(replace(robot, joints={**robot.joints, "hip": stiffer}), b"model") != same
    rewired = replace(robot.joints["hip"], motor=replace(robot.joints["hip"].motor, id=9))
    assert robot_hash(replace(robot, joints={**robot.joints, "hip": rewired}), b"model") == same


def test_every_hypothesis_explains_its_own_noisy_answer_best(make_robot: Make):
    signature = synthetic(make_robot())
    rng = np.random.default_rng(1)
    for hypothesis, answer in zip(signature.hypotheses, signature.answers, strict=True):
        measured = answer + 0.5 * signature.sigma * rng.normal(size=answer.size)
        ranked = signature.explain(measured)
        assert ranked[0].hypothesis == hypothesis
        healthy = next(e.distance for e in ranked if e.hypothesis.kind == "nominal")
        assert (healthy <= 1.0) == (hypothesis.kind == "nominal")


def test_a_healthy_robot_may_vary_as_the_simulated_ones_did_and_not_otherwise(make_robot: Make):
    signature = synthetic(make_robot())
    away = 2.0 * signature.ensemble.std(axis=0).mean()
    way = signature.ensemble[0] / np.linalg.norm(signature.ensemble[0])
    other = np.random.default_rng(3).normal(size=way.size)
    other -= way * (way @ other)
    other /= np.linalg.norm(other)
    length = away * np.sqrt(way.size)

    def distance(step: np.ndarray) -> float:
        ranked = signature.explain(signature.answers[0] + step)
        return next(e.distance for e in ranked if e.hypothesis.kind == "nominal")

    assert distance(length * way) <= 1.0
    assert distance(length * other) > 1.5 * distance(length * way)


def test_a_parameter_between_the_simulated_ones_is_estimated(make_robot: Make):
    signature = synthetic(make_robot())
    rng = np.random.default_rng(2)
    healthy = signature.answers[0]
    for kind, share, wanted in (("encoder_offset", 0.7, 0.21), ("motor_weak", 0.5, 1.0 / (1.0 + 0.5 * (1 / 0.3 - 1)))):
        index = next(i for i, h in enumerate(signature.hypotheses) if h.kind == kind and h.parameter == 0.3)
        measured = healthy + share * (signature.answers[index] - healthy)
        ranked = signature.explain(measured + 0.1 * signature.sigma * rng.normal(size=healthy.size))
        found = next(e for e in ranked if e.hypothesis == signature.hypotheses[index])
        assert found.parameter == pytest.approx(wanted, rel=0.02)


def test_a_fault_that_hardly_changes_the_answers_is_not_believed_for_fitting_the_noise(make_robot: Make):
    robot = make_robot()
    signature = synthetic(robot)
    rng = np.random.default_rng(4)
    healthy = signature.answers[0]
    # Faults half a sigma away in all: each fits the noise of a healthy robot about as well as healthy does.
    near = healthy + 0.5 * signature.sigma * rng.normal(size=signature.answers.shape) / np.sqrt(healthy.size)
    near[0] = healthy
    blurred = replace(signature, answers=near)
    for _ in range(30):
        ranked = blurred.explain(healthy + 0.5 * signature.sigma * rng.normal(size=healthy.size))
        assert ranked[0].hypothesis.kind == "nominal"
        assert min(e.distance for e in ranked[1:]) < ranked[0].distance
        assert min(e.cost for e in ranked[1:]) > ranked[0].cost


def test_missing_features_are_left_out_and_nothing_at_all_explains_nothing(make_robot: Make):
    signature = synthetic(make_robot())
    measured = signature.answers[5].copy()
    measured[20:] = np.nan
    assert signature.explain(measured)[0].hypothesis == signature.hypotheses[5]
    assert signature.coverage(measured) == pytest.approx(20 / measured.size)
    assert signature.explain(np.full_like(measured, np.nan)) == ()


def fake_robot(tmp_path: Path, config: RobotConfig) -> Robot:
    model = tmp_path / "model.xml"
    model.write_bytes(b"<mujoco/>")
    return Robot(tmp_path / "robot.yaml", config, tmp_path / "safety.yaml", None, model)  # type: ignore[arg-type]


def test_making_simulates_every_hypothesis_and_the_varied_robots(tmp_path: Path, make_robot: Make):
    robot = fake_robot(tmp_path, make_robot())
    seen: list[Trial] = []

    def simulate(robot, plan, trials, reduce, *, workers, progress):
        seen.extend(trials)
        rng = np.random.default_rng(0)
        width = sum(block.size for block in layout(plan, 3))
        return [Answer(rng.normal(size=width), np.arange(3.0)) for _ in trials]

    signature = make_signature(robot, simulate)
    assert len(signature.hypotheses) == len(single_faults(robot.config))
    assert [trial.hypothesis.kind for trial in seen if trial.variation_seed is not None] == ["nominal"] * 24
    assert np.allclose(signature.passive_pose_rad, [0.0, 1.0, 2.0])
    assert make_signature(robot, simulate, healthy_only=True).hypotheses == (Hypothesis("nominal"),)


def test_an_unstable_model_has_no_signature(tmp_path: Path, make_robot: Make):
    def simulate(robot, plan, trials, reduce, *, workers, progress):
        width = sum(block.size for block in layout(plan, 3))
        return [Answer(np.full(width, np.nan), np.zeros(3)) for _ in trials]

    with pytest.raises(SimulationError, match="unstable"):
        make_signature(fake_robot(tmp_path, make_robot()), simulate)
    with pytest.raises(SimulationError, match="no model"):
        make_signature(replace(fake_robot(tmp_path, make_robot()), model_path=None), simulate)


def test_moves_carry_their_labels():
    move = Move("fl_hip", -0.12, Support.LOWERED)
    assert move.label("measure") == "lowered/fl_hip-/measure"
    assert MovePlan.baseline_label(Support.GANTRY) == "gantry/baseline"


def test_the_shipped_signature_is_of_the_shipped_robot():
    folder = Path(__file__).resolve().parents[2] / "config" / "robots" / "pup"
    robot = load_robot(folder)
    assert robot.model_path is not None
    signature = load_signature(folder / "signature.npz")
    assert signature.robot_hash == robot_hash(robot.config, robot.model_path.read_bytes())
    assert signature.plan == default_move_plan(robot.config)
    assert signature.hypotheses == single_faults(robot.config)
    assert (folder / "signature.npz").stat().st_size < 400_000
    distances = {hypothesis: [] for hypothesis in signature.hypotheses}
    for hypothesis, answer in zip(signature.hypotheses, signature.answers, strict=True):
        ranked = signature.explain(answer)
        assert ranked[0].hypothesis == hypothesis
        distances[hypothesis] = [e.distance for e in ranked if e.hypothesis.kind == "nominal"]
    assert distances.pop(Hypothesis("nominal")) == [0.0]
    # A motor at 60 % is named, but is not far enough from healthy to be refused for its distance alone.
    strong = [found for hypothesis, found in distances.items() if hypothesis.parameter != 0.6]
    assert min(strong) > [1.1]


def judge_of_answers(
    signature: Signature, robot: RobotConfig, snapshot_at: Callable[..., Snapshot], *, kind: str
) -> StageJudge:
    """A judge that has seen every label of the plan, all readings zero."""
    judge = StageJudge(robot, (), signature)
    judge.begin(kind, kind, 0.0)
    samples = recording(signature.plan, len(robot.order))
    for time_s, label in zip(samples.time_s, samples.label_index, strict=True):
        judge.sample(snapshot_at(float(time_s)), PolicyHealth(), None, samples.labels[label])
    return judge


def test_the_judge_measures_the_signature_where_answers_were_given(
    make_robot: Make, snapshot_at: Callable[..., Snapshot]
):
    robot = make_robot()
    signature = synthetic(robot)
    judge = judge_of_answers(signature, robot, snapshot_at, kind="single_joint")
    metrics = judge.metrics()
    assert judge.move_plan() is signature.plan
    assert metrics["signature_coverage"] == 1.0
    assert metrics["signature_distance"] > 1.0
    ranked = judge.explanation()
    healthy = next(e.distance for e in ranked if e.hypothesis.kind == "nominal")
    faulty = min(math.hypot(e.distance, e.price) for e in ranked if e.hypothesis.kind != "nominal")
    assert metrics["signature_distance"] == pytest.approx(healthy)
    assert metrics["signature_margin"] == pytest.approx(faulty - healthy)
    assert metrics["move_error_max_rad"] == pytest.approx(0.2)
    judge.begin("rollout", "rollout", 9.0)
    judge.sample(snapshot_at(9.0), PolicyHealth(), None, "")
    assert "signature_distance" not in judge.metrics()
    assert judge.explanation() == ranked


def test_a_signature_of_healthy_robots_alone_still_finds_what_is_odd(
    make_robot: Make, snapshot_at: Callable[..., Snapshot]
):
    robot = make_robot()
    whole = synthetic(robot)
    signature = replace(whole, hypotheses=whole.hypotheses[:1], answers=whole.answers[:1])
    metrics = judge_of_answers(signature, robot, snapshot_at, kind="single_joint").metrics()
    assert metrics["signature_distance"] > 1.0
    assert metrics["signature_margin"] < 0.0


def test_a_robot_without_a_signature_is_judged_without_it(make_robot: Make, snapshot_at: Callable[..., Snapshot]):
    robot = make_robot()
    judge = StageJudge(robot)
    judge.begin("stand", "stand", 0.0)
    judge.sample(snapshot_at(0.0), PolicyHealth(), None, "")
    assert judge.move_plan() == default_move_plan(robot)
    assert "signature_distance" not in judge.metrics()
    assert judge.explanation() == ()
