"""The simulated answers: what each fault does to readings, and that the answers tell faults apart."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from supervisor.core.errors import SimulationError
from supervisor.core.levels import Support
from supervisor.core.moves import Move, MovePlan
from supervisor.core.robot_file import Robot, load_robot
from supervisor.core.signature import Hypothesis, Samples, Trial

pytest.importorskip("mujoco", reason="simulation is an extra")

from drivers.sim.signature import (
    PASSIVE_LABEL,
    FaultyReadings,
    rotation_about,
    simulate_answer,
    simulate_answers,
)

PUP = Path(__file__).resolve().parents[3] / "config" / "robots" / "pup"
NOMINAL = Hypothesis("nominal")


@pytest.fixture(scope="module")
def pup() -> Robot:
    return load_robot(PUP)


@pytest.fixture(scope="module")
def short_plan() -> MovePlan:
    """Two hanging moves: a few seconds of simulation."""
    moves = (Move("fl_thigh", 0.2, Support.GANTRY), Move("fl_calf", 0.2, Support.GANTRY))
    return MovePlan(moves, settle_s=0.5, baseline_s=0.2, move_s=0.3, hold_s=0.1, measure_s=0.2, rest_s=0.1)


def mean_of(samples: Samples, label: str, values: np.ndarray) -> np.ndarray:
    return values[samples.label_index == samples.labels.index(label)].mean(axis=0)


def test_faults_mean_what_the_fault_script_means_by_them(pup: Robot):
    config = pup.config
    true = np.arange(12.0)

    def reported(hypothesis: Hypothesis) -> np.ndarray:
        fault = FaultyReadings(config, hypothesis)
        return fault.scale * true[fault.source] + fault.shift

    assert list(reported(NOMINAL)) == list(true)
    assert list(reported(Hypothesis("swapped_ids", ("fl_hip", "fl_calf")))[:3]) == [2.0, 1.0, 0.0]
    assert reported(Hypothesis("sign_flip", ("fl_calf",)))[2] == -2.0
    assert reported(Hypothesis("encoder_offset", ("fl_calf",), 0.3))[2] == pytest.approx(2.3)
    assert FaultyReadings(config, Hypothesis("motor_weak", ("fl_calf",), 0.3)).strength[2] == 0.3
    with pytest.raises(SimulationError, match="no joint tail"):
        FaultyReadings(config, Hypothesis("sign_flip", ("tail",)))


def test_a_motor_read_with_another_joint_s_direction_gear_and_offset(pup: Robot):
    joints = dict(pup.config.joints)
    joints["fl_calf"] = replace(joints["fl_calf"], direction=-1, gear=2.0, offset_rad=0.1)
    joints["fl_hip"] = replace(joints["fl_hip"], offset_rad=0.05)
    fault = FaultyReadings(replace(pup.config, joints=joints), Hypothesis("swapped_ids", ("fl_hip", "fl_calf")))
    # The calf's motor turns by direction * gear * (joint + offset); the hip's row reads turns * 1 - 0.05.
    calf_rad = -1.4
    motor_rad = -1 * 2.0 * (calf_rad + 0.1)
    assert fault.scale[0] * calf_rad + fault.shift[0] == pytest.approx(motor_rad - 0.05)


def test_a_turned_imu_reports_the_world_turned_back():
    for axis in "xyz":
        turn = rotation_about(axis, math.pi / 2.0)
        assert np.allclose(turn @ turn.T, np.eye(3))
        assert np.isclose(np.linalg.det(turn), 1.0)
    # Turned by +90° about x the unit's y axis looks up, where the base's z did: gravity is along -y.
    assert np.allclose(rotation_about("x", math.pi / 2.0).T @ [0.0, 0.0, -1.0], [0.0, -1.0, 0.0])


def test_a_healthy_robot_stands_and_makes_its_moves(pup: Robot, short_plan: MovePlan):
    samples = simulate_answer(pup, short_plan, Trial(NOMINAL))
    default = pup.config.vector("default_rad")
    baseline = short_plan.baseline_label(Support.GANTRY)
    assert samples.labels[0] == PASSIVE_LABEL
    assert np.allclose(mean_of(samples, baseline, samples.position_rad), default, atol=0.05)
    assert np.allclose(mean_of(samples, baseline, samples.gravity_in_base), [0.0, 0.0, -1.0], atol=0.05)
    for move in short_plan.moves:
        index = pup.config.order.index(move.joint)
        reached = mean_of(samples, move.label("measure"), samples.position_rad)
        still = np.delete(reached - default, index)
        assert reached[index] - default[index] == pytest.approx(0.2, abs=0.05)
        assert np.abs(still).max() < 0.05
    assert np.isfinite(samples.torque_nm).all()
    again = simulate_answer(pup, short_plan, Trial(NOMINAL))
    assert np.array_equal(samples.torque_nm, again.torque_nm)


def test_a_weak_motor_reports_more_torque_for_the_same_leg(pup: Robot, short_plan: MovePlan):
    baseline = short_plan.baseline_label(Support.GANTRY)
    weak = simulate_answer(pup, short_plan, Trial(Hypothesis("motor_weak", ("fl_hip",), 0.3)))
    healthy = simulate_answer(pup, short_plan, Trial(NOMINAL))
    ratio = mean_of(weak, baseline, weak.torque_nm)[0] / mean_of(healthy, baseline, healthy.torque_nm)[0]
    assert ratio > 2.0


def test_a_seed_chooses_one_varied_robot(pup: Robot, short_plan: MovePlan):
    one, same, other = (simulate_answer(pup, short_plan, Trial(NOMINAL, seed)).torque_nm for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_answers_come_in_order_with_progress_and_from_processes_alike(pup: Robot, short_plan: MovePlan):
    seen: list[tuple[int, int]] = []
    trials = [Trial(NOMINAL), Trial(Hypothesis("sign_flip", ("fl_hip",)))]
    here = simulate_answers(
        pup,
        short_plan,
        trials,
        attrgetter("labels"),
        workers=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]
    assert here == [here[0]] * 2


def test_a_robot_without_a_model_has_no_answers(pup: Robot, short_plan: MovePlan):
    with pytest.raises(SimulationError, match="names no model"):
        simulate_answer(replace(pup, model_path=None), short_plan, Trial(NOMINAL))


def test_the_shipped_signature_is_what_the_simulation_gives_today(pup: Robot):
    diagnosis = pytest.importorskip("supervisor.diagnosis.signature")
    features = pytest.importorskip("supervisor.diagnosis.features")
    signature = diagnosis.load_signature(PUP / "signature.npz")
    samples = simulate_answer(pup, signature.plan, Trial(NOMINAL))
    answer = features.features(samples, signature.plan, len(pup.config.order))
    # Half a sigma: other versions of MuJoCo differ a little; another gantry or plan differs by far more.
    assert np.abs((answer - signature.answers[0]) / signature.sigma).max() < 0.5
    assert np.allclose(
        samples.position_rad[0], signature.passive_pose_rad, atol=4.0 * signature.passive_spread_rad.max()
    )


@pytest.mark.slow
def test_varied_faulty_robots_are_recognised_by_the_signature_in_the_repository(pup: Robot):
    diagnosis = pytest.importorskip("supervisor.diagnosis.signature")
    making = pytest.importorskip("supervisor.diagnosis.making")
    signature = diagnosis.load_signature(PUP / "signature.npz")
    assert signature.robot_hash == diagnosis.robot_hash(pup.config, pup.model_path.read_bytes())
    hypotheses = [
        NOMINAL,
        Hypothesis("swapped_ids", ("rl_calf", "rr_calf")),
        Hypothesis("sign_flip", ("fr_hip",)),
        Hypothesis("encoder_offset", ("fl_calf",), -0.3),
        Hypothesis("motor_weak", ("fl_thigh",), 0.3),
        Hypothesis("imu_rotated", (), math.pi / 2.0, "z"),
    ]
    trials = [Trial(hypothesis, 40 + i) for i, hypothesis in enumerate(hypotheses)]
    answers = simulate_answers(
        pup, signature.plan, trials, partial(making.reduce_samples, plan=signature.plan), workers=1
    )
    for hypothesis, answer in zip(hypotheses, answers, strict=True):
        ranked = signature.explain(answer.features)
        healthy = next(e.distance for e in ranked if e.hypothesis.kind == "nominal")
        assert ranked[0].hypothesis == hypothesis
        assert (healthy <= 1.0) == (hypothesis.kind == "nominal")


def test_workers_give_what_one_process_gives(pup: Robot, short_plan: MovePlan):
    trials = [Trial(NOMINAL), Trial(Hypothesis("sign_flip", ("fl_hip",)))]
    alone = simulate_answers(pup, short_plan, trials, attrgetter("torque_nm"), workers=1)
    shared = simulate_answers(pup, short_plan, trials, attrgetter("torque_nm"), workers=2)
    assert all(np.array_equal(a, b) for a, b in zip(alone, shared, strict=True))
