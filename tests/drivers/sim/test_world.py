from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.damiao.codec import CLEAR_ERROR, ENABLE, decode_register_reply, make_poll
from drivers.sim import world as world_module
from drivers.sim.motors.damiao import DamiaoMotors
from drivers.sim.variation import CAMPAIGN
from drivers.sim.world import SimulatedWorld
from supervisor.core.errors import BusError, ConfigError, SimulationError
from supervisor.core.levels import Support
from tests.drivers.sim.simulated import ROOT, Host, pup, register_read, reported, script

LATER = {"stage": "stand"}


def host_with(fault: dict[str, Any], cycles: int = 750) -> Host:
    """A standing (hanging, holding) robot on which the fault has just begun."""
    host = Host({**fault, "at": LATER})
    host.stand(cycles)
    host.world.enter_stage("stand", host.now_s)
    return host


# The healthy robot


def test_every_motor_answers_one_cycle_later_with_a_stamp_from_in_between() -> None:
    host = Host()
    for name, joint in host.config.joints.items():
        host.cans[joint.motor.bus].send([make_poll(joint.motor.id)])
        assert name not in host.feedback
    assert all(can.receive(0.0) == [] for can in host.cans.values())
    host.step(lambda _: None)
    assert set(host.feedback) == set(host.config.joints)
    assert all(0.0 < frame.stamp_s < host.now_s for _, frame in host.frames)


def test_a_joint_enabled_and_held_by_bytes_carries_its_leg() -> None:
    host = Host()
    before = {name: host.true_position(name) for name in host.config.joints}
    host.poll(100)
    assert all(abs(host.true_position(name) - value) < 0.05 for name, value in before.items())
    host.stand()
    for name, joint in host.config.joints.items():
        assert reported(host, name) == pytest.approx(joint.default_rad, abs=0.04)
        assert reported(host, name) == pytest.approx(host.true_position(name), abs=2e-3)
    assert abs(host.feedback["fl_hip"].torque_nm) > 0.4


def test_disabled_motors_report_no_torque_and_the_limbs_hang() -> None:
    host = Host()
    host.stand()
    host.disable()
    feedback = host.poll(1000)
    assert all(f.status_code == 0 and abs(f.torque_nm) < 0.15 for f in feedback.values())
    assert abs(host.true_position("fl_hip") - host.config.joints["fl_hip"].default_rad) > 0.3


def test_without_commands_the_motors_switch_off_after_their_timeout() -> None:
    host = Host()
    host.set_timeout(0.1)
    host.stand(300)
    assert all(f.status_code == 1 for f in host.step(lambda _: None, 40).values()) or not host.feedback
    host.step(lambda _: None, 15)
    assert all(f.status_code == 0xD for f in host.poll().values())
    host.step(lambda _: ENABLE)
    assert all(f.status_code == 0xD for f in host.poll().values())
    host.step(lambda _: CLEAR_ERROR)
    host.step(lambda _: ENABLE)
    assert all(f.status_code == 1 for f in host.poll().values())


def test_registers_answer_on_the_wire() -> None:
    host = Host()
    for name, joint in host.config.joints.items():
        host.cans[joint.motor.bus].send([register_read(host, name, 23)])
    host.world.advance_to(0.002)
    (frame,) = (frame for frame in host.cans["can0"].receive(0.002) if frame.arbitration_id == 17)
    assert decode_register_reply(frame.data).value == 54.0


def test_the_inertial_unit_streams_at_its_rate_and_feels_gravity() -> None:
    host = Host()
    packets = []
    for _ in range(500):
        host.poll()
        packets += host.packets
    assert len(packets) == 250
    assert np.mean([p.acc_g for p in packets], axis=0) == pytest.approx((0.0, 0.0, 9.81 / 9.8), abs=0.06)
    assert np.diff([p.time_ms for p in packets]) == pytest.approx(4.0)


def test_the_inertial_unit_feels_the_trunk_accelerate() -> None:
    host = host_with({"kind": "push", "force_n": [0.0, 50.0, 0.0]}, cycles=1000)
    host.step(host.hold(), 10)
    # 50 N on 10 kg, of which the trunk takes up more at first: the legs follow.
    assert 0.4 < host.packets[2].acc_g[1] < 1.2


def test_devices_that_answer_apart_from_the_body_do_what_they_do_in_lockstep() -> None:
    together, apart = Host(), Host()
    for host in (together, apart):
        host.enable()

    def advance(now_s: float) -> None:
        apart.world.exchange((apart.cycle - 1) * apart.config.control_period_s)
        apart.world.move_to(now_s)

    apart.world.advance_to = advance  # type: ignore[method-assign]
    for _ in range(50):
        together.step(together.hold())
        apart.step(apart.hold())
        assert (apart.frames, apart.raw_imu) == (together.frames, together.raw_imu)


def test_devices_answer_without_the_body_moving() -> None:
    host = Host()
    before = host.world.plant.data.time
    for attempt in range(3):
        host.cans["can0"].send([make_poll(1)])
        host.world.exchange(0.0004 * attempt)
        assert len(host.cans["can0"].receive(1.0)) == 1
    assert host.world.plant.data.time == before
    host.world.move_to(0.002)
    assert host.world.plant.data.time > before
    with pytest.raises(SimulationError, match="cannot go back"):
        host.world.move_to(0.0)


def test_every_bus_in_memory_is_there_by_its_name() -> None:
    host = Host()
    assert list(host.world.wires) == list(host.config.buses)
    assert host.world.wires["can0"] is host.cans["can0"]
    assert host.world.wires["imu0"] is host.imu_line


def test_the_same_seed_and_calls_give_the_same_bytes_and_another_seed_does_not() -> None:
    def run(seed: int, variation: Any = None) -> list[Any]:
        host = Host({"kind": "frames_dropped", "bus": "can1", "rate": 0.2}, seed=seed, variation=variation)
        log: list[Any] = []
        for request in (host.hold(), lambda _: ENABLE, *[host.hold()] * 100):
            host.step(request)
            log.append((host.frames, host.raw_imu))
        return log

    assert run(3) == run(3)
    assert run(3) != run(4)
    assert run(3, CAMPAIGN) == run(3, CAMPAIGN)
    assert run(3, CAMPAIGN) != run(3)


def test_the_estimator_gives_the_velocity_of_the_base_in_its_own_axes() -> None:
    host = host_with({"kind": "push", "force_n": [0.0, 30.0, 0.0], "for_s": 0.1})
    host.step(host.hold(), 40)
    velocity = host.world.base_velocity(host.now_s)
    assert velocity.stamp_s == host.now_s
    assert velocity.linear_velocity_base_in_base_m_per_s[1] > 0.05
    truth = host.world.truth.velocity_base_in_base_m_per_s
    assert velocity.linear_velocity_base_in_base_m_per_s == pytest.approx(truth)


# Refusals


def test_what_cannot_be_simulated_is_refused_with_the_reason() -> None:
    robot = pup()
    with pytest.raises(SimulationError, match="names no model"):
        SimulatedWorld(replace(robot, model_path=None))
    with pytest.raises(SimulationError, match="concern the supervisor"):
        SimulatedWorld(robot, faults=script({"kind": "control_killed"}))
    with pytest.raises(ConfigError, match="nose"):
        SimulatedWorld(robot, faults=script({"kind": "motor_silent", "joints": ["nose"]}))
    stranger = replace(robot.config, imu=replace(robot.config.imu, make="acme"))
    with pytest.raises(SimulationError, match="acme"):
        SimulatedWorld(replace(robot, config=stranger))


def test_time_does_not_go_back() -> None:
    host = Host()
    host.poll(10)
    with pytest.raises(SimulationError, match="cannot go back"):
        host.world.advance_to(0.002)


def test_a_bus_that_the_robot_does_not_have_cannot_be_opened() -> None:
    host = Host()
    config = host.config.buses["can0"]
    with pytest.raises(BusError, match="can7"):
        host.world.open_can("can7", config)  # type: ignore[arg-type]
    with pytest.raises(BusError, match="can0"):
        host.world.open_serial("can0", host.config.buses["imu0"])  # type: ignore[arg-type]


def test_faults_that_the_caller_carries_out_are_handed_over() -> None:
    faults = script({"kind": "mission_stalled", "at": {"stage": "stand", "after_s": 0.01}})
    world = SimulatedWorld(pup(), faults=faults, process_faults=["mission_stalled"])
    world.enter_stage("stand", 0.0)
    assert world.faults_in_force(0.005) == ()
    assert [fault.kind for fault in world.faults_in_force(0.01)] == ["mission_stalled"]


def test_policy_faults_need_a_wrapped_policy() -> None:
    host = Host({"kind": "policy_nan"})
    with pytest.raises(SimulationError, match="wrap_policy"):
        host.poll()
    host = Host({"kind": "policy_nan"})
    policy: Any = object()
    assert host.world.wrap_policy(policy) is not policy
    host.poll()
    assert [fault.kind for fault in host.world.faults_in_force(host.now_s)] == ["policy_nan"]
    assert Host().world.wrap_policy(policy) is policy


def test_a_robot_may_have_motors_of_several_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "MOTOR_MAKES", {"damiao": DamiaoMotors, "other": DamiaoMotors})
    robot = pup()
    mixed = {
        name: replace(joint, motor=replace(joint.motor, make="other")) if name.endswith("thigh") else joint
        for name, joint in robot.config.joints.items()
    }
    robot = replace(robot, config=replace(robot.config, joints=mixed))
    swap = {"kind": "swapped_ids", "joints": ["fl_thigh", "rr_thigh"]}
    host = Host(robot=robot)
    host.stand()
    for name, joint in mixed.items():
        assert host.true_position(name) == pytest.approx(joint.default_rad, abs=0.05)
    swapped = Host({**swap}, robot=robot)
    swapped.poll()
    assert reported(swapped, "fl_thigh") == pytest.approx(swapped.true_position("rr_thigh"), abs=2e-3)
    with pytest.raises(ConfigError, match="two of one make"):
        Host({"kind": "swapped_ids", "joints": ["fl_thigh", "fl_calf"]}, robot=robot)


# Each fault, as the wire shows it


def test_a_silent_motor_neither_answers_nor_holds() -> None:
    host = host_with({"kind": "motor_silent", "joints": ["fl_thigh"], "for_s": 1.0})
    feedback = host.step(host.hold(), 400)
    assert set(host.config.joints) - set(feedback) == {"fl_thigh"}
    assert abs(host.true_position("fl_thigh") - 0.8) > 0.05
    host.step(host.hold(), 110)
    assert host.feedback["fl_thigh"].status_code == 0


def test_a_weak_motor_reports_torque_that_does_not_arrive() -> None:
    healthy, weak = Host(), Host({"kind": "motor_weak", "joints": ["fl_hip"], "strength": 0.3})
    healthy.stand(1500)
    weak.stand(1500)
    sag = [abs(h.true_position("fl_hip") - 0.06) for h in (healthy, weak)]
    assert sag[1] == pytest.approx(sag[0] / 0.3, rel=0.3)
    assert abs(weak.feedback["fl_hip"].torque_nm) == pytest.approx(35.0 * sag[1], rel=0.15)


def test_a_flipped_motor_is_mirrored_in_command_and_feedback_and_looks_perfect() -> None:
    host = Host({"kind": "sign_flip", "joints": ["fl_thigh"]})
    host.stand(1500)
    assert reported(host, "fl_thigh") == pytest.approx(0.8, abs=0.05)
    assert host.true_position("fl_thigh") == pytest.approx(-0.8, abs=0.05)


@pytest.mark.parametrize("pair", [("fl_hip", "fl_thigh"), ("fr_thigh", "rl_thigh"), ("fl_calf", "rr_hip")])
def test_swapped_motors_answer_to_each_others_id_also_across_buses(pair: tuple[str, str]) -> None:
    host = Host({"kind": "swapped_ids", "joints": list(pair)})
    first, second = pair
    host.poll()
    assert reported(host, first) == pytest.approx(host.true_position(second), abs=2e-3)
    assert reported(host, second) == pytest.approx(host.true_position(first), abs=2e-3)
    host.enable()
    pose = {first: 0.5 * sum(host.config.joints[second].position_rad) + 0.1}
    host.step(host.hold(pose=pose), 1500)
    assert host.true_position(second) == pytest.approx(pose[first], abs=0.06)


@pytest.mark.parametrize("kind", ["encoder_offset", "encoder_jump"])
def test_a_shifted_encoder_shifts_reading_and_control_alike(kind: str) -> None:
    host = Host({"kind": kind, "joints": ["rl_thigh"], "offset_rad": 0.3})
    host.stand(1500)
    assert reported(host, "rl_thigh") == pytest.approx(0.8, abs=0.04)
    assert host.true_position("rl_thigh") == pytest.approx(0.5, abs=0.04)


def test_a_jump_shows_in_the_next_reading() -> None:
    host = host_with({"kind": "encoder_jump", "joints": ["rl_thigh"], "offset_rad": 0.3})
    before = reported(host, "rl_thigh")
    host.step(host.hold())
    assert reported(host, "rl_thigh") - before == pytest.approx(0.3, abs=5e-3)


def test_a_stuck_encoder_repeats_itself_with_no_speed() -> None:
    host = host_with({"kind": "encoder_stuck", "joints": ["fr_calf"], "for_s": 0.5})
    before = host.feedback["fr_calf"].position_rad
    host.step(host.hold(pose={"fr_calf": -1.0}), 200)
    assert host.feedback["fr_calf"].position_rad == pytest.approx(before, abs=1e-3)
    assert abs(host.feedback["fr_calf"].velocity_rad_per_s) < 0.08
    assert host.true_position("fr_calf") > -1.0 + 0.1
    host.step(host.hold(), 600)
    assert reported(host, "fr_calf") == pytest.approx(host.true_position("fr_calf"), abs=3e-3)


def test_a_hot_motor_reads_hot() -> None:
    host = host_with({"kind": "motor_hot", "joints": ["rr_calf"], "temperature_degc": 95.0})
    host.step(host.hold())
    assert host.feedback["rr_calf"].rotor_degc == 95.0
    assert host.feedback["fl_calf"].rotor_degc < 40.0


def test_a_fault_code_switches_the_motor_off_and_clearing_helps_only_afterwards() -> None:
    host = host_with({"kind": "motor_fault", "joints": ["rr_calf"], "code": "OVER_CURRENT", "for_s": 0.02})
    host.step(host.hold())
    assert host.feedback["rr_calf"].status_code == 0xA
    host.step(lambda name: CLEAR_ERROR if name == "rr_calf" else None)
    assert host.feedback["rr_calf"].status_code == 0xA
    host.step(host.hold(), 12)
    assert host.feedback["rr_calf"].status_code == 0xA
    assert abs(host.feedback["rr_calf"].torque_nm) < 0.2
    host.step(lambda name: CLEAR_ERROR if name == "rr_calf" else None)
    assert host.feedback["rr_calf"].status_code == 0


def test_a_brown_out_disables_every_motor_of_its_bus_and_no_other() -> None:
    host = host_with({"kind": "brown_out", "bus": "can2", "for_s": 0.01})
    host.step(host.hold(), 10)
    off = {name for name, feedback in host.feedback.items() if feedback.status_code == 9}
    assert off == {"rl_hip", "rl_thigh", "rl_calf"}
    assert sum(feedback.status_code == 1 for feedback in host.feedback.values()) == 9


def test_lost_frames_leave_holes_on_their_bus_only() -> None:
    host = host_with({"kind": "frames_dropped", "bus": "can1", "rate": 0.3})
    counts = dict.fromkeys(host.config.joints, 0)
    for _ in range(300):
        for name in host.step(host.hold()):
            counts[name] += 1
    share = {name: count / 300 for name, count in counts.items()}
    assert all(0.4 < share[name] < 0.58 for name in ("fr_hip", "fr_thigh", "fr_calf"))
    assert all(share[name] == 1.0 for name in share if not name.startswith("fr"))


def test_spoilt_frames_carry_wrong_values() -> None:
    host = host_with({"kind": "frames_corrupted", "bus": "can1", "rate": 0.5})
    seen = []
    for _ in range(100):
        seen += [f.position_rad for name, f in host.step(host.hold()).items() if name == "fr_thigh"]
    assert max(seen) - min(seen) > 0.5


def test_doubled_frames_come_twice_and_late_ones_late() -> None:
    host = host_with({"kind": "frames_duplicated", "bus": "can1", "rate": 1.0})
    host.step(host.hold(), 2)
    assert sum(bus == "can1" for bus, _ in host.frames) == 12
    host = host_with({"kind": "frames_reordered", "bus": "can1", "rate": 0.5})
    stamps = [host.step(host.hold()) and [f.stamp_s for bus, f in host.frames if bus == "can1"] for _ in range(20)]
    assert any(batch != sorted(batch) for batch in stamps)


def test_delayed_frames_are_old_when_they_arrive() -> None:
    host = host_with({"kind": "frames_delayed", "bus": "can0", "delay_s": 0.02})
    silent = [name for _ in range(9) for name in host.step(host.hold()) if name.startswith("fl")]
    assert silent == []
    host.step(host.hold(), 15)
    assert {name for name in host.feedback if name.startswith("fl")} == {"fl_hip", "fl_thigh", "fl_calf"}


def test_a_bus_that_is_off_says_so_and_comes_back() -> None:
    host = host_with({"kind": "bus_off", "bus": "can3", "for_s": 0.1})
    host.step(host.hold(), 3)
    assert not [name for name in host.feedback if name.startswith("rr")]
    assert host.cans["can3"].counters.is_off
    assert host.cans["can3"].counters.errors > 0
    assert not host.cans["can0"].counters.is_off
    host.step(host.hold(), 60)
    assert not host.cans["can3"].counters.is_off
    assert len(host.feedback) == 12


def test_a_frozen_unit_repeats_itself_and_a_lost_one_is_silent() -> None:
    host = host_with({"kind": "imu_frozen"})
    packets = []
    for _ in range(20):
        host.step(host.hold())
        packets += host.packets
    assert len({packet._replace(time_ms=0) for packet in packets}) == 1
    assert len(packets) == 10
    host = host_with({"kind": "imu_lost"})
    host.step(host.hold(), 3)
    assert host.raw_imu == b""


def test_a_unit_gone_mad_sends_nan_in_sound_packets() -> None:
    host = host_with({"kind": "imu_nan"})
    host.step(host.hold(), 2)
    (packet,) = host.packets
    assert all(map(math.isnan, packet.quat_wxyz + packet.gyro_deg_per_s + packet.acc_g))


def test_a_biased_and_a_rotated_unit_say_so() -> None:
    host = host_with({"kind": "imu_bias", "gyro_rad_per_s": [0.0, 0.0, 0.5]})
    host.step(host.hold(), 2)
    assert host.packets[-1].gyro_deg_per_s[2] == pytest.approx(math.degrees(0.5), abs=2.0)
    host = host_with({"kind": "imu_rotated", "axis": "x", "angle_rad": math.pi / 2})
    host.step(host.hold(), 2)
    # The unit's y axis points up now.
    assert host.packets[-1].acc_g == pytest.approx((0.0, 1.0, 0.0), abs=0.1)


def test_spoilt_packets_of_the_unit_fail_their_checksum() -> None:
    host = host_with({"kind": "frames_corrupted", "bus": "imu0", "rate": 1.0})
    packets = []
    for _ in range(40):
        host.step(host.hold())
        packets += host.packets
        assert len(host.raw_imu) in (0, 82)
    assert packets == []


def test_a_push_moves_the_trunk_and_ends() -> None:
    host = host_with({"kind": "push", "force_n": [0.0, 60.0, 0.0], "for_s": 0.2}, cycles=1500)
    before = host.world.truth.position_base_in_world_m[1]
    host.step(host.hold(), 100)
    moved = host.world.truth.position_base_in_world_m[1] - before
    assert moved > 0.02
    host.step(host.hold(), 1500)
    assert host.world.truth.position_base_in_world_m[1] == pytest.approx(before, abs=2e-3)


def test_a_payload_weighs_and_goes_away_again() -> None:
    host = host_with({"kind": "payload", "mass_kg": 2.0, "for_s": 3.0}, cycles=1500)
    weight, height = host.world.truth.weight_n, host.world.truth.position_base_in_world_m[2]
    host.step(host.hold(), 1400)
    assert host.world.truth.weight_n == weight
    assert host.world.truth.position_base_in_world_m[2] < height - 0.015
    host.step(host.hold(), 1600)
    assert weight - host.world.truth.weight_n == pytest.approx(2.0 * 9.81)
    assert host.world.truth.position_base_in_world_m[2] == pytest.approx(height, abs=2e-3)


def test_slippery_feet_slide_and_friction_comes_back() -> None:
    def slide(**friction: float) -> float:
        faults = [{"kind": "friction", **friction}] if friction else []
        host = Host({"kind": "push", "force_n": [0.0, 12.0, 0.0], "at": LATER, "for_s": 1.0}, *faults)
        host.stand(600)
        host.world.set_support(Support.GROUND)
        while not host.world.support_reached:
            host.step(host.hold())
        before = host.world.truth.position_base_in_world_m[1]
        host.world.enter_stage("stand", host.now_s)
        host.step(host.hold(), 450)
        return abs(host.world.truth.position_base_in_world_m[1] - before)

    assert slide(coefficient=0.05) > slide() + 0.05


def test_a_motor_frame_from_nowhere_is_met_with_silence() -> None:
    host = Host()
    host.cans["can0"].send([Frame(99, b"\xff" * 8), Frame(0x7FF, b"")])
    host.step(lambda _: None)
    assert host.frames == []


def test_mujoco_is_imported_when_a_simulation_starts_and_not_before() -> None:
    code = "import sys, drivers.sim.world; sys.exit('mujoco' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
