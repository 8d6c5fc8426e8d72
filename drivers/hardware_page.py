"""docs/hardware.md: what a user must know about each make, with the numbers taken from the tables.

python -m drivers.hardware_page > docs/hardware.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from drivers.capabilities import MAXIMUM_BUS_LOAD, Capabilities
from drivers.registry import IMU_MAKES, MOTOR_MAKES, MotorMake

RATES_HZ = (250, 500, 1000)

HEAD = """# Hardware

> Made by `python -m drivers.hardware_page > docs/hardware.md` from the tables that the drivers use. A test compares.

Every make below drives joints, or measures them, on the simulated robot with the very bytes of the real one. None has
moved a real motor with this version; what goes beyond frames and scaling is from the makes' own sheets.

**"Off" means a limb that falls**, unless a motor has a brake of its own. Hang the robot up until the
ladder says otherwise.
"""

MOTOR_NOTES = {
    "damiao": """\
- Two ids per motor: the one it listens to (register 8) and the one it answers with (register 7), by custom 16
  above. Both must be unique on the bus.
- Command timeout: register 9, off by default. Set in memory and read back at every inventory. When it expires,
  the motor goes limp and reports LOST_COMM; it needs clear, then enable.
- Ranges are read from registers 21 to 23 and compared with the table; a motor set up otherwise is refused.
- `handrail configure` stores control mode and command timeout in its flash, right after power-up.
""",
    "robstride": """\
- 29-bit identifiers, the vendor's private protocol. A motor that does not answer may speak the MIT variant, or
  another bit rate.
- Command timeout: parameter 0x7028, off by default. Set and read back at every inventory. When it expires, the
  motor resets and goes limp.
- It is polled with a stop frame: a motor left running by another program goes limp at the first poll.
- Positions wrap at ±4π; joints keep 0.5 rad away from it.
- `handrail configure` saves command timeout and `zero_sta` (power-up within ±π) in its flash, right after power-up.
""",
    "robstride_mit": """\
- The 11-bit MIT variant of RobStride, chosen in the motor with the private protocol and a power cycle. Prefer the
  private protocol: it says whether a motor is on, and its timeout can be set and read back.
- Motors answer on identifier 253, as delivered. Feedback tells neither faults nor whether a motor is on: in every
  cycle one motor of each bus is asked for its faults, and on or off is inferred from which frame it answered.
- No command timeout in this protocol: name an `independent_cut_off`, or arming is refused.
- Only models whose velocity range is the same in both protocols; of RS02, RS03 and RS04 the manuals disagree.
""",
    "cybergear": """\
- As RobStride, with other fault names.
- Its timeout sits in a table that only the vendor's tool reaches: name an `independent_cut_off` in the robot
  file, or arming is refused.
""",
    "cubemars": """\
- MIT mode on 11-bit identifiers. Set the motor to MIT mode with the vendor's tool; in servo mode it is silent.
- The timeout is set over its own serial line only: name an `independent_cut_off`, or arming is refused.
- It does not say whether it is on: that is inferred from which frame it answered, so the emergency-stop drill
  proves less here.
""",
    "myactuator": """\
- Motion mode on 0x400 + id, requests on 0x140 + id.
- Command timeout: request 0xB3, acknowledged but not readable; it is written to the motor's flash, once per
  inventory. When it expires, the output goes off.
- The range of its motion frames cannot be read from the motor: the table's two rows are all there is.
""",
    "moteus": """\
- CAN FD, 1 and 5 Mbit/s. Bit rates alone are not enough: the vendor asks for `sample-point 0.666 dsample-point
  0.666 sjw 10 dsjw 5 restart-ms 1000`. `id.id` as in the robot file, `can.prefix` 0; this computer is host 0.
- The row of a board says what its messages carry; what the motor on it can do is in `drive`: torque, speed, and
  the largest stiffness and damping, at the output.
- Commands are shares, 0 to 1, of the controller's own gains, which count per turn: set `servo.pid_position.kp` to
  at least 2π times `kp_max_nm_per_rad`, and `kd` likewise. Both are read at every inventory, and a motor with less
  is refused; DAMP's damping must fit in, too.
- `motor_turns_per_output_turn` must be what `motor_position.rotor_to_output_ratio` says; `servopos.position_min`
  and `position_max` must leave room for the joint (as delivered they leave 0.01 turns) or be nan.
- Command timeout: stated in every command, read back at every inventory. When it expires, the motor is damped with
  at most `servo.timeout_max_torque_Nm` and stays so, as fault TIMED_OUT, until it is stopped. Every stop clears
  faults, too: a fault that is over is gone after DISABLE.
- Between two commands the target goes on at the commanded speed. Targets have steps of 0.0001 turns (0.6 mrad).
- `handrail configure` sets gains, position and speed limits, `ilimit` and fixed voltage mode on its console, and stores
  them in flash. The gear ratio is left to the vendor's tools.
- Without an encoder at the output, a gearbox makes the position at power-up ambiguous by one turn of the motor.
- The temperature is the higher of board and winding; the winding's needs a thermistor that is switched on.
""",
    "canopen": """\
- CiA 402 drives in cyclic synchronous torque mode; identifiers follow from the node id, and 127 is this computer's.
  Each cycle a drive gets its controlword and torque, and one SYNC per bus makes all of them act and report.
- `drive` says what only its owner knows: `encoder_counts_per_turn` and `rated_torque_nm` of the motor,
  `motor_turns_per_output_turn`, and at the output shaft `torque_max_nm` and `velocity_max_rad_per_s`. Rated torque
  (0x6076), torque limit (0x6072) and counts (0x608F, or 0x6092 with 0x6091) are read and compared.
- Speed is in the unit that 0x60A9 says. A drive without that object needs the model `CiA402-counts` or `CiA402-rpm`.
- The profile has no temperature. `EPOS4` reads its maker's object (the power stage's); with the other models take the
  guard `motor_temperature` out of the safety file, or `handrail check` refuses.
- The inventory maps the process data and sets the timeout, all of it in memory and read back: the drive watches this
  computer's heartbeat (0x1016) and switches its voltage off (0x6007 = 2) when it is late. No EDS file is needed.
- Switching on takes three steps of the state machine, some 12 ms at 500 Hz. Positions are kept over power-off with
  absolute encoders only; set zeros with the vendor's tool, or use `offset_rad`.
""",
    "feetech": """\
- STS, SMS and SCS servos, told positions only. Impedance commands become goals: position + torque / stiffness, with the
  stiffness of the table times P register / 32. Asked for exactly that stiffness, a servo gets the commanded position
  itself. Stiffness follows the supply voltage, and only STS3215's is identified: measure yours.
- **No command timeout**: when this computer dies, it holds its last goal with torque until its power is cut. Name an
  `independent_cut_off`, a relay in the servos' supply, or arming is refused.
- No stiffness, no damping and no torque switch a servo off until it is asked for some again. A servo not heard for
  five commands is told to stay where it was last seen.
- Half duplex: one question per line and cycle, at 1 Mbaud. STS servos answer one sync read; SCS servos take turns.
  Set the return delay (register 7) to 0 and a USB adapter's latency timer to 1 ms.
- Inventory compares model number, id, angle limits, mode, return delay and gains, sets the torque limit in memory and
  reads it back, and switches off a servo that was left on. Nothing stored is written, but by `zero` and `configure`.
- `handrail configure` writes angle limits, mode, return delay and gains to EEPROM, which is unlocked for that alone.
- Torque is an estimate from the drive (load register) and the speed. Two servos with one id that stand alike answer
  with the same bytes: nobody can tell.
""",
    "lx16a": """\
- Positions only, 115 200 baud only, nothing for many at once: a move to each servo in every cycle, and one question to
  one of them. Feedback is as old as the line has servos, in cycles: a few servos per line, 100 Hz, and a `motor_age`
  limit to match.
- Its stiffness is assumed, in the table: nobody has published it, and it cannot be read. Speed is estimated from
  positions, torque from the distance to the goal.
- **No command timeout**, as Feetech: name an `independent_cut_off`.
- `handrail configure` sets servo mode and angle limits. Nobody says whether a servo keeps its mode without power.
- It never says what is wrong. Too warm, too much voltage or stalled, it lets go; that is seen as the fault UNLOADED.
""",
    "dynamixel": """\
- X series, protocol 2.0, in current control: register 11 is 0. Models without it (XL430, ...) cannot be driven.
- Delivered at 57600 baud with a return delay of 0.5 ms. Set register 8 to the line's baud_bps with the vendor's tool;
  the inventory names every other register that must be changed, and `handrail configure` writes them to EEPROM.
- Command timeout: register 98, 20 to 2540 ms in steps of 20, set and read back at every inventory. When it expires,
  the servo goes limp with its torque switch on, and takes no goal until its faults are cleared. XL330 needs
  firmware 52: with 51 it goes on turning.
- Torque is current times a constant, stall torque over stall current: friction makes it wrong by some ten per cent.
- The encoder knows one turn. Joints keep 0.3 rad away from its ends; a motor that is off may be found a whole turn on.
- After overheating, overload or shock only a restart helps: clearing faults does that, and sets it up again.
- FTDI adapters (U2D2): latency timer 1 ms.
""",
    "unitree": """\
- GO-M8010-6 on RS-485, half duplex, 4 Mbaud and no other rate: use an FT232H or FT4232H, with its latency timer at
  1 ms. Ids 0 to 14 are possible; the vendor's tool sets 0 to 2, for the usual three motors on a line.
- **Motors of a line take turns**, one in each control cycle: an answer comes on the two wires that the next command
  would need. Three on a line at 500 Hz are each heard every 6 ms, which is also the most that is allowed; their own
  control loop goes on in between. Two answers lost in a row are what the usual age limit of 20 ms forgives. For every
  motor in every cycle give each a line of its own.
- **Position is known only up to 56.9 degrees** (2 pi / 6.33) after power-up: nothing a motor sends tells which. Say per
  joint in `starts_within_rad` where it stands whenever a program begins to drive the robot, at most 0.89 rad wide. A
  joint found elsewhere may be taken for one that is inside: the narrower the range, the likelier it is refused.
- A motor that was silent for 0.1 s may have restarted: its position is unknown, and it is braked, until the next
  inventory.
- Everything on the wire is at the rotor; here it is at the output, 6.33 times slower. Stiffness reaches 1026 N·m/rad.
- No command timeout that is documented: name an `independent_cut_off`, or arming is refused.
- "Off" is the vendor's brake mode. It begins with one command to all motors of a line, and each is then told by itself.
- There is no frame that switches on, and none that clears an error: any command does the first, a power cycle the
  second. A motor that reported an error gets no more commands until the robot is armed again.
- A and B swapped, no power and a wrong rate all look the same: silence. A1 and B1 motors speak otherwise.
""",
    "odrive": """\
- CANSimple on 11-bit identifiers, of which each board takes 32: no other make may have one of those. Firmware 0.6.
- Set up by USB, and saved: `odrv0.can.config.baud_rate = 1000000`; in `axis0.config.can` `node_id` from 1 to 62,
  `encoder_msg_rate_ms` and `heartbeat_msg_rate_ms` as long as a control cycle, `torques_msg_rate_ms = 10` and
  `temperature_msg_rate_ms = 100`. The inventory counts what comes and names the setting to change.
- Stiffness and damping become `pos_gain` and `vel_gain`; the integrator is set to 0. Leave gain scheduling off, and set
  `axis0.controller.config.enable_vel_limit = False`: limited, a spring pulls with no more than damping times
  `vel_limit`. `enable_overspeed_error` stays on. None of these can be checked over CAN.
- Stiffness without damping cannot be expressed (at most 1000 times the damping): such a command is not sent.
- Watchdog: `axis0.config.enable_watchdog` and `watchdog_timeout`, by USB, off by default. It cannot be read over CAN
  without a list of endpoints for the very firmware, so set it and name an `independent_cut_off`, or arming is
  refused. When it expires the axis disarms and goes limp, and has to be cleared.
- `drive` says what the drive is set to at the output shaft: `torque_max_nm`, `velocity_max_rad_per_s`, and
  `motor_turns_per_output_turn` where the drive counts turns of the motor. Through the gearbox neither may be more
  than 32.767 N·m or rev/s at the motor.
""",
}
"""Wiring, timeout and surprises of each make of motor, from the vendors' sheets; Markdown."""

IMU_NOTES = {
    "hipnuc": """\
- Accelerations are in units of 9.8 m/s². 6-axis mode: motors disturb the magnetometer.
- `handrail configure` has it stream the packet at the rate of the robot file and no other, and saves that.
""",
    "witmotion": """\
- 8-bit checksums let about 1 damaged frame in 256 pass: quaternions that are not of unit length are dropped.
- `handrail configure` writes content (register 2) and rate (register 3), and saves them.
""",
    "xsens_xbus": """\
- Stream the status word: without it saturation and convergence stay unknown, and inventory says so.
- `handrail configure` writes the output configuration, which the unit stores at once; it is silent for a moment.
""",
    "vectornav_vn100": """\
- Its own z axis points down: an upright unit needs `orientation_imu_in_base_wxyz: [0, 1, 0, 0]`.
- Text messages carry no filter status; prefer `binary`.
- `handrail configure` writes binary output 1, async type and async rate (registers 75, 6, 7), and stores them.
""",
    "bno08x_rvc": """\
- Measures no angular rate, which the guards need: a robot that uses it is refused.
""",
}
"""What surprises with each make of inertial unit; Markdown."""


def document() -> str:
    """The whole page."""
    return "\n".join([HEAD, "## Motors", "", *_motors(), "## Inertial units on a serial line", "", *_imus()])


def _motors() -> Iterator[str]:
    yield from _table(
        ("make", "bus", "loop closed", "velocity", "torque", "temperature", "says if on", "names faults"),
        (
            (
                f"`{name}`",
                "CAN FD" if make.needs_fd else make.bus_kind,
                can.control.value,
                can.velocity,
                can.torque,
                can.temperature,
                _yes(can.says_whether_on),
                _yes(can.reports_faults),
            )
            for name, make, can in _rows()
        ),
    )
    yield ""
    yield from _table(
        ("make", "command timeout", "when this computer dies", "zero", "ranges compared"),
        (
            (f"`{name}`", can.timeout.value, can.when_host_dies, can.zero.value, _yes(can.reads_ranges))
            for name, _, can in _rows()
        ),
    )
    yield ""
    yield f"Motors per bus within {MAXIMUM_BUS_LOAD:.0%} of worst-case load, at the bus's usual rate:"
    yield ""
    yield from _table(
        ("make", "ids", "Mbit/s", *(f"{rate} Hz" for rate in RATES_HZ)),
        (
            (
                f"`{name}`",
                f"{make.id_range[0]} to {make.id_range[1]}",
                " / ".join(f"{rate / 1e6:g}" for rate in make.usual_rates_bps if rate),
                *(str(make.cost.motors_within(rate, *make.usual_rates_bps)) for rate in RATES_HZ),
            )
            for name, make, _ in _rows()
        ),
    )
    for name, make, _ in _rows():
        yield from ("", f"### {name}", "")
        yield MOTOR_NOTES[name]
        yield from _table(
            ("model", "position rad", "velocity rad/s", "torque N·m", "kp", "kd"),
            (
                (
                    f"`{model.name}`",
                    f"±{model.position_max_rad:g}",
                    f"±{model.velocity_max_rad_per_s:g}",
                    f"±{model.torque_max_nm:g}",
                    f"0 to {model.kp_max_nm_per_rad:g}",
                    f"0 to {model.kd_max_nm_s_per_rad:g}",
                )
                for model in make.models.values()
            ),
        )
    yield ""


def _rows() -> Iterator[tuple[str, MotorMake, Capabilities]]:
    return ((name, make, make.capabilities) for name, make in sorted(MOTOR_MAKES.items()))


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * len(heads)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _imus() -> Iterator[str]:
    yield "A USB serial adapter adds up to its latency timer to every sample: set it to 1 ms (FTDI starts with 16)."
    for name, make in sorted(IMU_MAKES.items()):
        yield from ("", f"### {name}", "")
        packets = ", ".join(f"`{packet}` ({size} bytes)" for packet, size in make.frame_bytes.items())
        yield f"{IMU_NOTES[name]}- Packets: {packets}."
    yield ""


if __name__ == "__main__":
    sys.stdout.write(document())
