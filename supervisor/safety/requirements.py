"""What the safety core promises, each promise with the test that holds it. SAFETY.md is made from this."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.safety.guards import GUARDS

_TESTS = "tests/safety"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One promise.

    Attributes:
        id: Never given to another promise.
        text: What holds.
        test: `file::function`, with the parameter in brackets where the function covers several requirements.
    """

    id: str
    text: str
    test: str


def _guard_requirements() -> tuple[Requirement, ...]:
    sweep = f"{_TESTS}/test_guards.py::test_guard_is_swept_across_its_limit"
    return tuple(
        Requirement(kind.requirement, f"`{identifier}`: {kind.description}", f"{sweep}[{identifier}]")
        for identifier, kind in GUARDS.items()
    )


def _of(file: str, *rows: tuple[str, str, str]) -> tuple[Requirement, ...]:
    return tuple(Requirement(identifier, text, f"{_TESTS}/{file}::{test}") for identifier, text, test in rows)


GUARD_REQUIREMENTS = _guard_requirements()

REQUIREMENTS: tuple[Requirement, ...] = (
    *_of(
        "test_board.py",
        ("SAF-101", "Whatever a guard returns or raises, its value is one of five, and only a good one is OK.",
         "test_every_answer_has_a_value_and_only_a_good_one_is_ok"),
        ("SAF-102", "A guard that has not been evaluated is not OK.",
         "test_nothing_is_ok_before_the_first_evaluation"),
        ("SAF-103", "A violation ends only when the value has come back by the hysteresis.",
         "test_hysteresis_holds_the_violation_until_the_value_has_come_back"),
        ("SAF-104", "Persistence counts every value that is not OK.",
         "test_persistence_counts_every_kind_of_failure"),
        ("SAF-105", "A fault that toggles trips: the trip budget drains a quarter as fast as it fills.",
         "test_a_toggling_fault_trips"),
        ("SAF-106", "A stage may tighten a limit and never loosen it.",
         "test_a_stage_tightens_and_never_loosens"),
        ("SAF-107", "No measurement makes the board raise or lose a row.",
         "test_no_measurement_makes_the_board_raise_or_lose_a_row"),
        ("SAF-108", "A safety file with an unknown guard, a wrong unit or a missing required row is refused.",
         "test_all_problems_of_the_rows_are_named_at_once"),
    ),
    *_of(
        "test_guards.py",
        ("SAF-110", "No guard passes NaN or infinity.", "test_no_guard_passes_what_is_not_finite"),
        ("SAF-111", "What is derived from an old inertial sample is stale.",
         "test_what_comes_from_an_old_imu_is_stale"),
        ("SAF-112", "What is derived from old motor feedback is stale.",
         "test_what_comes_from_an_old_motor_is_stale"),
        ("SAF-113", "A missing state passes no guard that needs one.",
         "test_a_missing_state_passes_no_guard_that_needs_one"),
        ("SAF-114", "Inputs that nobody wrote pass none of the guards that need them.",
         "test_inputs_that_nobody_wrote_pass_none_of_the_guards_that_need_them"),
    ),
    *_of(
        "test_severity.py",
        ("SAF-201", "The level only rises until a reset.", "test_the_level_only_rises"),
        ("SAF-202", "The first cause is kept, later ones are added.",
         "test_the_first_cause_is_kept_and_later_ones_are_added"),
        ("SAF-203", "The third trip of one cause within an hour is TERMINAL.",
         "test_the_third_trip_of_one_cause_within_an_hour_is_terminal"),
        ("SAF-204", "HOLD falls through when no operator attends to it in time.",
         "test_hold_falls_through_after_its_time_without_an_operator"),
        ("SAF-205", "HOLD and SETTLE fall through at once when a position cannot be commanded.",
         "test_hold_and_settle_fall_through_at_once_when_they_cannot_be_done"),
        ("SAF-206", "A trip during the planned end of a mission becomes the cause.",
         "test_a_trip_during_the_planned_end_becomes_the_cause"),
    ),
    *_of(
        "test_limits.py",
        ("SAF-301", "No input leads to a command beyond a limit, not finite, or faster than the rate.",
         "test_no_input_leads_beyond_a_limit"),
        ("SAF-302", "One number that is not finite refuses the whole proposal.",
         "test_one_number_that_is_not_finite_refuses_the_whole_command"),
        ("SAF-303", "Negative and absurd gains are refused.", "test_negative_and_absurd_gains_are_refused"),
        ("SAF-304", "A command within all limits goes through unchanged.",
         "test_what_is_within_all_limits_goes_through_unchanged"),
        ("SAF-305", "Everything that is changed or refused is counted.",
         "test_clips_are_counted_by_joint_and_cycle"),
    ),
    *_of(
        "test_two_actions.py",
        ("SAF-405", "The whole core, stepped after a trip of any level, never moves on fewer than two presses.",
         "test_no_sequence_of_fewer_than_two_presses_leads_to_motion"),
    ),
    *_of(
        "test_gate.py",
        ("SAF-310", "A refused proposal leaves the valid one before in force.",
         "test_a_refused_proposal_is_counted_once_and_the_valid_one_before_stays"),
        ("SAF-311", "A proposal from before the start, or from the future, is not followed.",
         "test_a_proposal_from_before_the_start_or_the_future_is_not_followed"),
        ("SAF-312", "CUT and TERMINAL write DISABLE every cycle.",
         "test_cut_and_terminal_disable_every_cycle"),
        ("SAF-313", "DAMP has no stiffness and ends in DISABLE after its time.",
         "test_damp_has_no_stiffness_and_ends_after_its_time"),
        ("SAF-314", "SETTLE goes to the rest pose at bounded speed, then writes DISABLE.",
         "test_settle_goes_from_the_measured_pose_to_rest_at_bounded_speed_then_disables"),
        ("SAF-315", "A stop energises nothing.", "test_a_stop_energises_nothing"),
        ("SAF-316", "Without a measured pose HOLD and SETTLE damp.",
         "test_without_a_measured_pose_hold_and_settle_damp"),
        ("SAF-317", "DAMP asks of no motor more damping than it can be told.",
         "test_damp_asks_of_no_motor_more_than_it_can_be_told"),
    ),
    *_of(
        "test_shipped_rules.py",
        ("SAF-320", "The level's command is written in the cycle in which a guard's persistence is met.",
         "test_the_levels_command_is_written_in_the_very_cycle_in_which_the_persistence_is_met"),
        ("SAF-321", "Single missed frames never trip.", "test_single_missed_frames_never_trip"),
        ("SAF-322", "Walking as measured never trips.", "test_walking_as_measured_never_trips"),
    ),
    *_of(
        "test_arming.py",
        ("SAF-401", "From any trip to motion there are at least two presses; from TERMINAL there is no way.",
         "test_from_any_trip_motion_takes_at_least_two_presses"),
        ("SAF-402", "A reset needs the cause gone and the stop at its end.",
         "test_reset_needs_the_cause_gone_and_the_stop_at_its_end"),
        ("SAF-403", "A refusal lists every reason.", "test_a_refusal_lists_every_reason"),
        ("SAF-404", "No press lowers a level or energises, except by its own edge.",
         "test_no_press_lowers_a_level_or_energises_except_by_its_own_edge"),
    ),
    *_of(
        "test_core.py",
        ("SAF-410", "Nothing is energised before a drill or an arming request.",
         "test_nothing_is_energised_before_drill_or_arming"),
        ("SAF-419", "The drill, which energises the motors, is refused while a guard of HOLD or above is tripped.",
         "test_the_drill_is_refused_while_a_latching_guard_is_tripped"),
        ("SAF-412", "An armed robot that is not started settles and switches off.",
         "test_an_armed_robot_that_is_not_started_settles_and_switches_off"),
        ("SAF-413", "The emergency stop latches in every state.",
         "test_the_emergency_stop_latches_in_every_state"),
        ("SAF-414", "Any other trip while disarmed stands in the way of arming and latches nothing.",
         "test_a_trip_while_disarmed_only_stands_in_the_way"),
        ("SAF-415", "An error inside the core leads to the profile's level for the unknown in the same cycle.",
         "test_a_broken_guard_board_leads_to_the_unknown_level_in_the_same_cycle"),
    ),
    *_of(
        "test_checking.py",
        ("SAF-411", "Arming needs an inventory without problems, a passed drill and every guard of HOLD or above OK.",
         "test_arming_lists_every_reason_at_once"),
        ("SAF-604", "Nothing is energised before it is on the disk that the process is under power.",
         "test_nothing_is_energised_before_checking_is_on_the_disk"),
    ),
    *_of(
        "test_power.py",
        ("SAF-420", "The drill passes only with the motors seen on, and proof from later feedback that they are off.",
         "test_a_drill_that_passes_had_the_motors_on_and_proves_them_off"),
        ("SAF-421", "Silence is no proof that the motors are off.", "test_silence_is_no_proof"),
    ),
    *_of(
        "test_restart.py",
        ("SAF-601", "What is latched, and a process that ended under power, begins the next process in STOPPED.",
         "test_only_what_was_switched_off_in_order_does_not_begin_stopped"),
        ("SAF-602", "A state file that is torn, changed or cannot be read begins in STOPPED.",
         "test_a_file_with_a_problem_begins_stopped"),
        ("SAF-603", "After a restart one press neither moves nor energises.",
         "test_after_a_restart_one_press_neither_moves_nor_energises"),
        ("SAF-605", "A stop is handed to the memory before its command is handed out.",
         "test_a_stop_is_kept_before_its_command_is_handed_out"),
        ("SAF-606", "Trips count across processes: the third within an hour is TERMINAL.",
         "test_the_third_trip_counts_across_processes_and_the_next_process_may_be_reset"),
    ),
    *_of(
        "test_state_space.py",
        ("SAF-620", "In every state every press does what the table above says.",
         "test_a_press_does_what_the_table_says"),
        ("SAF-621", "In every state under power a trip of any level, with any press, stops at the largest level.",
         "test_a_trip_under_power_stops_at_the_largest_level_whatever_is_pressed"),
        ("SAF-622", "In every state with motors off a trip of any level, with any press, energises nothing.",
         "test_a_trip_while_off_energises_nothing_and_only_stands_in_the_way"),
        ("SAF-623", "A process that ends after any of these leaves a stop, or a robot that is off.",
         "test_a_process_that_ends_after_any_of_these_leaves_a_stop_or_a_robot_that_is_off"),
    ),
    *_of(
        "test_latch_format.py",
        ("SAF-610", "A write torn at any byte is found, and leaves the state before it to be read.",
         "test_a_write_torn_anywhere_is_found_or_has_not_begun"),
        ("SAF-611", "Steps of the wall clock neither shorten the hour nor lengthen it while the computer runs.",
         "test_while_the_computer_runs_steps_of_the_wall_clock_do_nothing"),
        ("SAF-612", "A wall clock that went back across a start of the computer makes no trip older.",
         "test_a_wall_clock_that_went_back_makes_nothing_older"),
    ),
    Requirement(
        "SAF-501",
        "No damaged or foreign bytes make a decoder, a stream parser or a device raise, hang, or believe them.",
        "tests/fuzz/test_campaign.py::test_damaged_input_gives_no_exception_no_hang_and_no_false_feedback",
    ),
    Requirement(
        "SAF-510",
        "Whatever a person asks for, the policy is told a velocity within its range, changed no faster than declared.",
        "tests/trees/test_steering.py::"
        "test_whatever_is_asked_whenever_the_velocity_keeps_its_range_and_its_acceleration",
    ),
    Requirement(
        "SAF-511",
        "A wish that is old, not a number, or of somebody who does not count as there, is a stand in the same tick.",
        "tests/trees/test_steering.py::test_a_wish_in_doubt_is_zero_at_once_and_stays_so_until_centred",
    ),
    Requirement(
        "SAF-512",
        "A stick that is pushed when a stage begins or its gamepad is opened moves nothing until it was centred.",
        "tests/runtime/inputs/test_sticks.py::"
        "test_an_unplugged_gamepad_steers_nothing_and_plugged_in_again_only_once_centred",
    ),
)  # fmt: skip
