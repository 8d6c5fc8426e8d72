"""Causes in devices and wires: silent motors, lossy buses, motor faults, a lost or frozen IMU."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from supervisor.core.state import MotorStatus
from supervisor.diagnosis.evidence import Evidence, Finding, finding, stop_numbers, weight_of

REPLY_RATIO = 0.98
"""Below this a bus is lossy: a sound CAN bus loses nothing."""

FROZEN_SAMPLES = 5
"""Noise alone changes the last bits of every sample."""


def devices(evidence: Evidence) -> Iterator[Finding]:
    """Everything that ages, counters, statuses and fault words say."""
    silent = frozenset(_silent_joints(evidence))
    yield from _buses(evidence, silent)
    yield from _silent_motors(evidence, silent)
    yield from _motor_faults(evidence)
    yield from _imu(evidence)
    yield from _inventory(evidence)


def _silent_joints(evidence: Evidence) -> tuple[str, ...]:
    reports = evidence.snapshot.inventory if evidence.snapshot else ()
    unanswered = [report.name for report in reports if not report.answered and report.name in evidence.robot.order]
    return tuple(dict.fromkeys([*evidence.stale_joints(), *unanswered]))


def _buses(evidence: Evidence, silent: frozenset[str]) -> Iterator[Finding]:
    statistics = evidence.snapshot.buses if evidence.snapshot else {}
    for bus, joints in ((name, evidence.joints_on(name)) for name in evidence.robot.buses):
        if not joints:
            continue
        counters = statistics.get(bus)
        ratio = evidence.reply_ratios.get(bus, math.nan)
        if counters is not None and math.isnan(ratio) and counters.expected > 0:
            ratio = counters.received / counters.expected
        is_off = counters is not None and counters.is_off
        dead = silent.issuperset(joints) and len(joints) > 1
        if is_off or dead:
            yield finding(
                99.0,
                f"no motor on {bus} answers" if dead else f"{bus} no longer takes frames",
                f"bus {bus} is {'off' if is_off else 'cut, unplugged or without power'}",
                f"check the cable, termination (two of 120 Ω), power and interface of {bus}; the interface must be up "
                "at the robot file's bit rate",
                joints,
                reply_ratio=ratio if math.isfinite(ratio) else "not measured",
                bus=bus,
            )
        elif ratio < REPLY_RATIO and not _one_motor_accounts(ratio, joints, silent):
            yield finding(
                96.0 if evidence.guard in ("", "bus_loss", "bus_errors", "motor_age") else 86.0,
                f"{100.0 * (1.0 - ratio):.0f} % of the replies on {bus} did not come",
                f"bus {bus} loses frames",
                f"check the cable, plugs, shield, termination (two of 120 Ω) and load of {bus}; one bad plug in the "
                "chain disturbs all",
                joints,
                reply_ratio=ratio,
                bus=bus,
            )
        elif counters is not None and counters.foreign_commands:
            yield finding(
                95.0,
                f"{counters.foreign_commands} commands on {bus} were not ours",
                f"a second program commands motors on {bus}",
                "stop the other program: two writers fight over one robot",
                joints,
                bus=bus,
            )


def _one_motor_accounts(ratio: float, joints: tuple[str, ...], silent: frozenset[str]) -> bool:
    """Whether the motors known to be silent account for the replies that are missing."""
    missing = len(silent.intersection(joints)) / len(joints)
    return missing > 0.0 and 1.0 - ratio <= missing + 0.05


def _silent_motors(evidence: Evidence, silent: frozenset[str]) -> Iterator[Finding]:
    state = evidence.state
    for name in _silent_joints(evidence):
        motor = evidence.robot.joints[name].motor
        if len(evidence.joints_on(motor.bus)) > 1 and silent.issuperset(evidence.joints_on(motor.bus)):
            continue
        age = float(state.now_s - state.motor_stamp_s[evidence.robot.order.index(name)]) if state else math.inf
        yield finding(
            97.0,
            f"motor of {name} does not answer, the others on {motor.bus} do"
            if len(evidence.joints_on(motor.bus)) > 1
            else f"motor of {name} does not answer",
            f"motor of {name} is silent: without power, unplugged, or with another id",
            f"check power and plug of the motor of {name}, that it has id {motor.id} on {motor.bus} and answers "
            f"with {motor.feedback_id}",
            (name,),
            silent_for_s=age if math.isfinite(age) else "never heard",
            bus=motor.bus,
            id=float(motor.id),
        )


def _motor_faults(evidence: Evidence) -> Iterator[Finding]:
    state = evidence.state
    if state is None:
        return
    names = evidence.robot.order.names
    for i in np.flatnonzero(state.motor_status == MotorStatus.FAULT):
        fault = evidence.fault_names.get(names[i], f"code {int(state.fault_code[i])}")
        yield finding(
            98.0,
            f"motor of {names[i]} reports a fault",
            f"motor of {names[i]} switched itself off: {fault}",
            "read the make's manual for this fault, remove its cause, clear it and arm again",
            (names[i],),
            fault=fault,
            temperature_degc=float(state.temperature_degc[i]),
        )
    weight = weight_of(evidence, ("motor_temperature",), 97.0, 60.0)
    if weight:
        hottest = int(np.nanargmax(state.temperature_degc))
        yield finding(
            weight,
            f"motor of {names[hottest]} is at {state.temperature_degc[hottest]:.0f} °C",
            f"motor of {names[hottest]} overheats",
            "let it cool; look for a jammed joint, a pose that costs much torque, or a blocked fan",
            (names[hottest],),
            temperature_degc=float(state.temperature_degc[hottest]),
            **stop_numbers(evidence),
        )
    weight = weight_of(evidence, ("motor_disabled",), 90.0, 0.0)
    off = np.flatnonzero(state.motor_status == MotorStatus.DISABLED)
    if weight and len(off) and len(off) < len(names):
        joints = tuple(names[i] for i in off)
        yield finding(
            weight,
            f"motor of {', '.join(joints)} is off although it was switched on",
            f"motor of {joints[0]} switched off by itself: supply dip, command timeout or emergency stop on its branch",
            "check its supply and that no other program talks to it",
            joints,
        )


def _imu(evidence: Evidence) -> Iterator[Finding]:
    state = evidence.state
    if state is None:
        return
    imu, bus = state.imu, evidence.robot.imu.bus
    age = state.now_s - imu.stamp_s
    values = np.concatenate([imu.gravity_in_base, imu.angular_velocity_base_in_base_rad_per_s])
    if evidence.guard == "imu_age" or age > max(10.0 / evidence.robot.imu.rate_hz, 0.05):
        heard = f"for {age:.2f} s" if math.isfinite(age) else "ever"
        yield finding(
            97.5,
            f"nothing was heard from the IMU {heard}",
            "IMU is lost",
            f"check the plug, power and port of {bus}, and its baud rate and packet against the robot file",
            age_s=age if math.isfinite(age) else "never heard",
            bus=bus,
        )
    elif not np.isfinite(values).all():
        yield finding(
            97.4,
            "the IMU sends values that are not numbers",
            "IMU data is not finite",
            "power the IMU off and on; replace it if that does not help",
            bus=bus,
        )
    elif evidence.guard == "imu_frozen" or imu.unchanged >= FROZEN_SAMPLES:
        yield finding(
            97.3,
            f"the last {imu.unchanged} IMU samples are identical bit for bit",
            "IMU is frozen: it repeats its last measurement",
            "power the IMU off and on; check its firmware, and any converter between it and this computer",
            unchanged_samples=float(imu.unchanged),
            bus=bus,
        )
    for guard, cause in (
        ("imu_norm", "IMU attitude is not a rotation: corrupted data"),
        ("imu_gravity", "IMU attitude disagrees with its accelerometer: biased gyro, not converged, or shaken"),
        ("imu_warning", "IMU reports saturation or an attitude that has not converged"),
    ):
        weight = weight_of(evidence, (guard,), 91.0, 40.0)
        if weight:
            yield finding(
                weight,
                f"guard {guard} is not OK",
                cause,
                "keep the robot still until the IMU has converged; calibrate its gyro; check its mounting",
                **(stop_numbers(evidence) if evidence.guard == guard else {}),
            )


def _inventory(evidence: Evidence) -> Iterator[Finding]:
    for report in evidence.snapshot.inventory if evidence.snapshot else ():
        if report.answered and report.problems:
            yield finding(
                80.0,
                f"{report.name} on {report.bus}: {'; '.join(report.problems)}",
                f"{report.name} is not set up as the robot file says",
                "configure the device, or correct the robot file, then run preflight again",
                (report.name,) if report.name in evidence.robot.order else (),
                bus=report.bus,
            )
    drill = evidence.snapshot.drill if evidence.snapshot else None
    if drill is not None and not drill.passed:
        yield finding(
            79.0,
            f"emergency-stop drill failed: {'; '.join(drill.problems)}",
            "motors do not provably switch off",
            "do not go on: check every motor's answer to the disable command",
            tuple(name for name in evidence.robot.order if any(name in problem for problem in drill.problems)),
            off_after_s=drill.off_after_s if math.isfinite(drill.off_after_s) else "never",
        )
