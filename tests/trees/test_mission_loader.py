"""Mission files: what is wrong is named, all of it at once, with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from supervisor.core.errors import ConfigError
from supervisor.core.levels import Support
from supervisor.core.velocity import COMMANDS
from tests.trees.stand_ins import Bench
from tests.trees.test_missions_run import SAFETY
from trees.missions.loader import load_mission
from trees.missions.metrics import is_known_metric
from trees.missions.root import create_root
from trees.missions.schema import Mission

MISSIONS = Path(__file__).parents[2] / "config" / "missions"

STAGE = """
  - name: {name}
    kind: {kind}
    support: gantry
    knobs: {{action_gain: {gain}, torque_fraction: 1.0, speed_fraction: 1.0}}
    confirm: false
    timeout_s: 30.0
    duration: {{minimum_s: 1.0, maximum_s: 2.0}}{more}
    accept:
      - {{metric: tilt_max_rad, op: '<=', limit: 0.3, reason: a test's number}}
    not_accepted: {{retry: 0, step_back: false, then: stop}}
"""
HEAD = "schema: 1\nname: probe\ndescription: a test's mission\ntimeout_s: 100.0\nstages:"


def stage(kind: str, name: str = "", gain: float = 0.0, more: str = "") -> str:
    if kind in ("stand", "single_joint"):
        more += "\n    move_speed_rad_per_s: 1.0"
    return STAGE.format(name=name or kind, kind=kind, gain=gain, more=more)


PREFLIGHT, STAND = stage("preflight"), stage("stand")
GOOD = HEAD + PREFLIGHT + STAND


def load(tmp_path: Path, text: str) -> Mission:
    path = tmp_path / "probe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_mission(path, SAFETY)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["deployment", "incremental_activation", "speed_progression", "teleoperation"])
def test_the_shipped_missions_load(name: str) -> None:
    assert load_mission(MISSIONS / f"{name}.yaml", SAFETY).name == name


def test_a_good_mission_loads(tmp_path: Path) -> None:
    mission = load(tmp_path, GOOD)
    assert [spec.name for spec in mission.stages] == ["preflight", "stand"]
    assert mission.stages[0].support is Support.GANTRY


def schedule(fraction: float = 0.5, duration: float = 5.0, count: int = 1) -> str:
    segment = f"\n      - {{name: forward, command: {{forward: {fraction}}}, duration_s: {duration}}}"
    return "\n    schedule:" + segment * count


def steering(left: float = 1.0, age_s: float = 0.3) -> str:
    limits = f"forward_m_per_s2: 1.0, left_m_per_s2: {left}, yaw_rad_per_s2: 1.0, maximum_age_s: {age_s}"
    return f"\n    steering: {{{limits}}}"


LADDER = HEAD + PREFLIGHT + STAND
NO_CRITERION = "    accept: []\n    not_accepted: {retry: 0, step_back: false, then: stop}\n"
WRONG = {
    "no stage": (HEAD + " []", "at least one stage, preflight first"),
    "unknown kind": (GOOD.replace("kind: stand", "kind: dance"), "stages[1].kind: found 'dance'"),
    "unknown key": (GOOD.replace("confirm: false", "confirm: false\n    speed: 1", 1), "an unknown key"),
    "missing key": (GOOD.replace("    timeout_s: 30.0\n", "", 1), "stages[0].timeout_s: found nothing"),
    "text for a number": (GOOD.replace("timeout_s: 30.0", "timeout_s: soon", 1), "found 'soon'"),
    "not finite": (GOOD.replace("timeout_s: 30.0", "timeout_s: .inf", 1), "a finite number"),
    "another schema": (GOOD.replace("schema: 1", "schema: 2"), "1 (this version's schema)"),
    "empty file": ("", "an empty file"),
    "same name twice": (HEAD + PREFLIGHT + STAND + STAND, "a name that no other stage has"),
    "motion before preflight": (HEAD + STAND, "a stage of kind preflight before anything moves"),
    "policy before stand": (HEAD + PREFLIGHT + stage("ramp", gain=0.5), "a stage of kind stand before the policy"),
    "step back from the first moving stage": (
        GOOD.replace("step_back: false", "step_back: true"),
        "no moving stage before",
    ),
    "unknown guard": (
        HEAD + PREFLIGHT + stage("stand", more="\n    guards: {tlit: 0.2}"),
        "an unknown guard; allowed: a guard",
    ),
    "looser guard": (
        HEAD + PREFLIGHT + stage("stand", more="\n    guards: {tilt: 0.7}"),
        "found 0.7 rad; allowed: at most",
    ),
    "unknown metric": (GOOD.replace("tilt_max_rad", "tilt_maximum"), "a quantity that is measured"),
    "no reason": (GOOD.replace("a test's number", "''"), "why this number"),
    "no criterion": (
        HEAD + PREFLIGHT.split("    accept:")[0] + NO_CRITERION,
        "at least one: a stage is accepted for a reason",
    ),
    "gain above one": (LADDER + stage("ramp", gain=1.5), "found 1.5; allowed: 0 to 1"),
    "gain of zero": (LADDER + stage("ramp"), "above 0: the policy drives"),
    "zero action with a gain": (LADDER + stage("zero_action", gain=0.1), "0: the action is zero"),
    "torque of zero": (GOOD.replace("torque_fraction: 1.0", "torque_fraction: 0.0", 1), "above 0, at most 1"),
    "minimum above maximum": (GOOD.replace("minimum_s: 1.0", "minimum_s: 3.0"), "0 < minimum_s <= maximum_s"),
    "window above maximum": (
        GOOD.replace("maximum_s: 2.0", "maximum_s: 2.0, stable_s: 3.0"),
        "above 0, at most maximum_s",
    ),
    "timeout below the duration": (GOOD.replace("timeout_s: 30.0", "timeout_s: 1.5"), "above the stage's 2 s"),
    "mission timeout of zero": (GOOD.replace("timeout_s: 100.0", "timeout_s: 0.0"), "a number above 0"),
    "too many retries": (GOOD.replace("retry: 0", "retry: 50"), "0 to 5"),
    "no speed for stand": (GOOD.replace("    move_speed_rad_per_s: 1.0\n", ""), "a number above 0"),
    "speed without a move": (
        HEAD + stage("preflight", more="\n    move_speed_rad_per_s: 1.0"),
        "only stand and single_joint",
    ),
    "second support": (
        HEAD + PREFLIGHT + stage("stand", more="\n    then_support: lowered"),
        "only single_joint changes",
    ),
    "rollout without a schedule": (LADDER + stage("rollout", gain=1.0), "a rollout follows commands"),
    "schedule where none is followed": (
        HEAD + PREFLIGHT + stage("stand", more=schedule(fraction=0.5, duration=5.0)),
        "only ramp and rollout follow one",
    ),
    "fraction above one": (
        LADDER + stage("rollout", gain=1.0, more=schedule(fraction=1.2, duration=5.0)),
        "a fraction from -1 to 1",
    ),
    "segment too short": (
        LADDER + stage("rollout", gain=1.0, more=schedule(fraction=0.5, duration=0.5)),
        "2 s or more",
    ),
    "segment twice": (LADDER + stage("rollout", gain=1.0, more=schedule(count=2)), "a name that no other segment has"),
    "steering beside a schedule": (
        LADDER + stage("rollout", gain=1.0, more=schedule() + steering()),
        "found steering beside a schedule; allowed: one of them",
    ),
    "steering where the policy does not walk": (LADDER + stage("ramp", gain=1.0, more=steering()), "only rollout is"),
    "steering without a limit": (LADDER + stage("rollout", gain=1.0, more=steering(left=0.0)), "a number above 0"),
    "steering by old wishes": (LADDER + stage("rollout", gain=1.0, more=steering(age_s=5.0)), "allowed: 0.1 to 1 s"),
    "steering by wishes of this very moment": (
        LADDER + stage("rollout", gain=1.0, more=steering(age_s=0.0)),
        "allowed: 0.1 to 1 s",
    ),
    "steering in windows": (
        LADDER + stage("rollout", gain=1.0, more=steering()).replace("maximum_s: 2.0", "maximum_s: 2.0, stable_s: 1.0"),
        "nothing with steering",
    ),
    "steering judged by a speed": (
        LADDER + stage("rollout", gain=1.0, more=steering()).replace("tilt_max_rad", "vx_m_per_s_error_max"),
        "who steers promises no speed",
    ),
    "steering with no time to stand": (
        LADDER + stage("rollout", gain=1.0, more=steering()).replace("timeout_s: 30.0", "timeout_s: 4.0"),
        "above the stage's 4 s",
    ),
    "nothing after stop": (GOOD.replace("then: stop", "then: hope"), "found 'hope'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refuses(case: str, tmp_path: Path) -> None:
    text, expected = WRONG[case]
    found = problems(tmp_path, text)
    assert [line for line in found if expected in line] != []


def test_all_problems_are_named_at_once_with_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("tilt_max_rad", "tilt_maximum").replace("timeout_s: 30.0", "timeout_s: 1.0")
    found = problems(tmp_path, text)
    assert len(found) == 4
    assert found[0].split(":")[1].isdigit()


def test_metric_names_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "probe.yaml"
    path.write_text(GOOD.replace("tilt_max_rad", "wobble"), encoding="utf-8")
    assert load_mission(path, SAFETY, metrics=("wobble",)).stages[0].accept[0].metric == "wobble"


@pytest.mark.parametrize(
    ("name", "is_known"),
    [("tilt_max_rad", True), ("vx_m_per_s_error_max", True), ("vx_m_per_s_mean", True), ("vx", False), ("", False)],
)
def test_metric_names(name: str, *, is_known: bool) -> None:
    assert is_known_metric(name) is is_known


def test_a_command_the_policy_does_not_take_is_refused_when_the_tree_is_built() -> None:
    mission = load_mission(MISSIONS / "deployment.yaml")
    with pytest.raises(ConfigError, match=r"stage rollout: segment turn: command yaw is not one of the policy's"):
        create_root(Bench().context, mission, SAFETY)


def test_a_policy_that_cannot_be_steered_is_refused_when_the_tree_is_built() -> None:
    mission, bench = load_mission(MISSIONS / "teleoperation.yaml"), Bench()
    with pytest.raises(ConfigError, match=r"stage drive: steering needs the commands .* takes no wz_rad_per_s"):
        create_root(bench.context, mission, SAFETY)
    bench.policy.command_names = COMMANDS
    bench.policy.command_range = (np.array([0.1, -0.2, -0.5]), np.array([1.0, 0.2, 0.5]))
    with pytest.raises(ConfigError, match=r"cannot stand, its vx_m_per_s is 0.1 to 1"):
        create_root(bench.context, mission, SAFETY)
    bench.policy.command_range = (np.array([0.0, -0.2, -0.5]), np.array([1.0, 0.2, 0.5]))
    create_root(bench.context, mission, SAFETY)


def test_a_tree_without_guards_is_refused() -> None:
    mission = load_mission(MISSIONS / "deployment.yaml")
    with pytest.raises(ConfigError, match="proposes commands with no guard above it"):
        create_root(None, mission, replace(SAFETY, guards=()))
