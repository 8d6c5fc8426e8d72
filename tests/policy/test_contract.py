"""The shipped contract, and every way in which a contract or its network can be wrong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx import TensorProto

from supervisor.core.errors import ConfigError
from supervisor.policy.contract import read_contract
from supervisor.policy.fit import GainLimits
from supervisor.policy.policy import load_policy
from tests.policy.making import PUP_WALK, content, pup, robot_with, term, write_network, write_policy

DEMO = Path(__file__).resolve().parents[3] / "shared" / "demo" / "pup" / "contract.json"
TERMS = [
    term("base_angular_velocity", 3, minimum=[-1.0] * 3, maximum=[1.0] * 3),
    term("velocity_command", 3),
    term("joint_velocity", 2),
    term("gait_clock", 2),
]
CLOCK = {"frequency_hz": 2.0, "outputs": ["sin", "cos"], "advance": "after"}
GOLDEN = {"tolerance": 1e-4, "pairs": [{"observation": [0.0] * 10, "action": [0.0] * 2}]}
ROBOT = robot_with(("a", "b"))


def made(**more) -> dict:
    return content(TERMS, clock=CLOCK, golden=GOLDEN) | more


def problems_of(folder: Path, changed: dict, robot=ROBOT, weight=(10, 2), **limits) -> dict[str, str]:
    """Problems by key of a made-up policy after a change of its contract."""
    write_policy(folder, made(), np.zeros(weight))
    path = folder / "contract.yaml"
    right = yaml.safe_load(path.read_text())
    plain = json.loads(json.dumps(merge(right, changed)))  # no value twice, which YAML would write as an alias
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load_policy(folder, robot, **limits)
    assert all(problem.line is not None for problem in caught.value.problems if problem.file.endswith(".yaml"))
    return {problem.key: str(problem) for problem in caught.value.problems}


def merge(value, change):
    """`value` with the parts of `change` put in; a list index is an int key."""
    if isinstance(change, dict) and isinstance(value, dict):
        return value | {key: merge(value.get(key), part) for key, part in change.items()}
    if isinstance(change, dict) and isinstance(value, list):
        return [merge(item, change[i]) if i in change else item for i, item in enumerate(value)]
    return change


def at_term(i, **change):
    return {"observation": {"terms": {i: change}}}


def test_the_made_up_policy_is_right_before_it_is_changed(tmp_path):
    load_policy(write_policy(tmp_path, made(), np.zeros((10, 2))), ROBOT)


WRONG = [
    ({"unknown": 1}, "unknown"),
    ({"schema": 2}, "schema"),
    ({"policy_hz": "fifty"}, "policy_hz"),
    ({"policy_hz": 0.0}, "policy_hz"),
    ({"policy_hz": 30.0}, "policy_hz"),
    ({"policy_hz": 1000.0}, "policy_hz"),
    ({"model": {"sha256": "00ff"}}, "model.sha256"),
    ({"input": "observations"}, "input"),
    ({"output": "targets"}, "output"),
    (
        {"joints": {"c": {"default_rad": 0.0, "scale_rad": 1.0, "kp_nm_per_rad": 1.0, "kd_nm_s_per_rad": 1.0}}},
        "joints.c",
    ),
    ({"joints": {"a": {"default_rad": 3.0}}}, "joints.a.default_rad"),
    ({"joints": {"a": {"default_rad": 0.2}}}, "joints.a.default_rad"),
    ({"joints": {"a": {"kp_nm_per_rad": 0.0}}}, "joints.a.kp_nm_per_rad"),
    ({"joints": {"a": {"kp_nm_per_rad": 801.0}}}, "joints.a.kp_nm_per_rad"),
    ({"joints": {"a": {"kd_nm_s_per_rad": -0.5}}}, "joints.a.kd_nm_s_per_rad"),
    ({"joints": {"b": {"scale_rad_per_s": 1.0}}}, "joints.b"),
    ({"joints": {"b": {"scale_rad": 0.0}}}, "joints.b"),
    ({"action": {"clip": [1.0, -1.0]}}, "action.clip"),
    ({"action": {"kind": "torque"}}, "action.kind"),
    ({"action": {"last_action": "filtered"}}, "action.last_action"),
    ({"observation": {"layout": "sorted"}}, "observation.layout"),
    ({"observation": {"clip": [2.0, 2.0]}}, "observation.clip"),
    (at_term(0, source="base_acceleration"), "observation.terms[0].source"),
    (at_term(0, dim=4), "observation.terms[0].dim"),
    (at_term(0, unit="deg/s"), "observation.terms[0].unit"),
    (at_term(0, frame="world"), "observation.terms[0].frame"),
    (at_term(0, scale=[1.0, 2.0]), "observation.terms[0].scale"),
    (at_term(0, clip=[-1.0, 1.0]), "observation.terms[0].clip_order"),
    (at_term(0, minimum=[-1.0, 1.0, -1.0]), "observation.terms[0].minimum[1]"),
    (at_term(0, maximum=[1.0]), "observation.terms[0].maximum"),
    (at_term(0, maximum=[]), "observation.terms[0]"),
    (at_term(0, history={"length": 0, "order": "oldest_first", "fill": "zero"}), "observation.terms[0].history.length"),
    (at_term(1, name="base_angular_velocity"), "observation.terms"),
    (at_term(2, joints=["a", "x"]), "observation.terms[2].joints"),
    (at_term(2, zeroed=["x"]), "observation.terms[2].zeroed"),
    (at_term(1, joints=["a"]), "observation.terms[1].joints"),
    ({"clock": None}, "observation.terms[3].source"),
    ({"clock": {"frequency_hz": 25.0}}, "clock.frequency_hz"),
    ({"clock": {"moving_threshold": 0.1}}, "clock.standing_value"),
    ({"command": {"vx_m_per_s": {"recommended": [-0.5, 1.5]}}}, "command.vx_m_per_s.recommended"),
    ({"command": {"vx_m_per_s": {"trained": [1.0, -1.0]}}}, "command.vx_m_per_s.trained"),
    ({"command": {"vx_m_per_s": {"slew_per_s": 0.0}}}, "command.vx_m_per_s.slew_per_s"),
    ({"golden": {"pairs": {0: {"action": [0.0]}}}}, "golden.pairs[0].action"),
    ({"golden": {"pairs": {0: {"observation": [0.0]}}}}, "golden.pairs[0].observation"),
    ({"golden": {"tolerance": 0.0}}, "golden.tolerance"),
    ({"states": [{"input": "h_in", "output": "h_out", "shape": [1, 1]}]}, "states[0].input"),
]


@pytest.mark.parametrize(("change", "key"), WRONG, ids=[f"{key}-{i}" for i, (_, key) in enumerate(WRONG)])
def test_a_wrong_contract_is_refused_at_its_key(change, key, tmp_path):
    assert key in problems_of(tmp_path, change)


def test_all_problems_are_named_at_once(tmp_path):
    change = {"policy_hz": 30.0, "model": {"sha256": "0"}, "joints": {"a": {"kp_nm_per_rad": 0.0}}} | at_term(0, dim=4)
    keys = set(problems_of(tmp_path, change))
    wanted = {"policy_hz", "model.sha256", "joints.a.kp_nm_per_rad", "observation.terms[0].dim", "input"}
    follow = {"golden.pairs[0].observation", "observation.terms[0].minimum", "observation.terms[0].maximum"}
    assert wanted | follow == keys


def test_not_a_number_and_a_key_twice_are_refused(tmp_path):
    write_policy(tmp_path, made(), np.zeros((10, 2)))
    path = tmp_path / "contract.yaml"
    text = path.read_text()
    path.write_text(text.replace("policy_hz: 50.0", "policy_hz: .nan\nname: twice"))
    with pytest.raises(ConfigError) as caught:
        load_policy(tmp_path, ROBOT)
    assert {problem.key for problem in caught.value.problems} == {"policy_hz", "name"}


def test_a_width_other_than_the_networks_is_refused_at_both_ends(tmp_path):
    found = problems_of(tmp_path, {}, weight=(11, 3))
    assert "1x11" in found["input"]
    assert "1x3" in found["output"]


def test_a_base_velocity_needs_an_estimator(tmp_path):
    change = at_term(0, source="base_linear_velocity", unit="m/s")
    robot = replace(ROBOT, estimator="none")
    assert "estimator" in problems_of(tmp_path, change, robot)["observation.terms[0].source"]


def test_gains_beyond_what_the_motor_can_be_told_are_refused(tmp_path):
    found = problems_of(tmp_path, {}, gain_limits={"a": GainLimits(19.0, 5.0), "b": GainLimits(500.0, 0.4)})
    assert set(found) == {"joints.a.kp_nm_per_rad", "joints.b.kd_nm_s_per_rad"}


def test_frames_must_stand_together_and_have_one_length(tmp_path):
    history = {"length": 3, "order": "oldest_first", "fill": "first"}
    terms = [row | {"history": history} if i != 1 else row for i, row in enumerate(TERMS)]
    change = {"observation": {"layout": "frame_major", "terms": terms}}
    assert "without history" in problems_of(tmp_path / "apart", change)["observation.terms"]
    other = [row | {"history": history | {"length": 3 + i}} for i, row in enumerate(TERMS)]
    change = {"observation": {"layout": "frame_major", "terms": other}}
    assert "differ" in problems_of(tmp_path / "lengths", change)["observation.terms"]


@pytest.mark.parametrize(
    ("shape", "key"), [([1, 2], "states[0].shape"), ([1], "states[0].shape"), ([0, 1], "states[0].shape")]
)
def test_a_recurrent_state_has_the_networks_shape(shape, key, tmp_path):
    folder = write_policy(tmp_path, made(), np.zeros((10, 2)), states=True)
    load_policy(folder, ROBOT)
    right = yaml.safe_load((folder / "contract.yaml").read_text())
    right["states"][0]["shape"] = shape
    (folder / "contract.yaml").write_text(yaml.safe_dump(right, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load_policy(folder, ROBOT)
    assert key in {problem.key for problem in caught.value.problems}


def replace_network(folder: Path, **kind) -> str:
    """Write the made-up policy with another kind of network; returns the message of the refusal."""
    write_policy(folder, made(), np.zeros((10, 2)))
    right = yaml.safe_load((folder / "contract.yaml").read_text())
    right["model"]["sha256"] = write_network(folder / "policy.onnx", np.zeros((10, 2)), **kind)
    (folder / "contract.yaml").write_text(yaml.safe_dump(right, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load_policy(folder, ROBOT)
    return str(caught.value)


def test_a_network_in_64_bit_is_refused(tmp_path):
    assert "tensor(double)" in replace_network(tmp_path, kind=TensorProto.DOUBLE)


def test_an_input_that_nothing_feeds_is_refused(tmp_path):
    assert "time_step" in replace_network(tmp_path, extra_input=True)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _: None, "No such file"),
        (lambda _: b"", "an empty file"),
        (lambda _: b"\x00\xff\x7fELF not a network" * 50, "no network"),
        (lambda content: content[: len(content) // 2], "no network"),
        (lambda _: b"schema: 1\n", "no network"),
    ],
    ids=["missing", "empty", "binary", "truncated", "text"],
)
def test_an_onnx_file_that_is_none_is_refused_in_plain_words(damage, words, tmp_path, capfd):
    write_policy(tmp_path, made(), np.zeros((10, 2)))
    network = tmp_path / "policy.onnx"
    damaged = damage(network.read_bytes())
    network.unlink()
    if damaged is not None:
        network.write_bytes(damaged)
    with pytest.raises(ConfigError, match=words) as caught:
        load_policy(tmp_path, ROBOT)
    assert caught.value.problems[-1].file == str(network)
    assert capfd.readouterr() == ("", "")


def test_a_missing_network_does_not_hide_what_is_wrong_with_the_contract(tmp_path):
    write_policy(tmp_path, made(policy_hz=30.0), np.zeros((10, 2)))
    (tmp_path / "policy.onnx").unlink()
    with pytest.raises(ConfigError) as caught:
        load_policy(tmp_path, ROBOT)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("text", ["", "\x00\x01", "- a\n- b\n", "schema: [1\n", "!!python/object:os.system {}\n"])
def test_a_file_that_is_no_contract_is_refused(text, tmp_path):
    (tmp_path / "contract.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load_policy(tmp_path, ROBOT)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError):
        load_policy(tmp_path / "nothing", ROBOT)


def test_the_shipped_contract_is_right_and_fits_the_shipped_robot():
    policy = load_policy(PUP_WALK, pup())
    assert policy.command_names == ("vx_m_per_s", "vy_m_per_s", "wz_rad_per_s")
    assert policy.command_range[0].tolist() == [-0.3, -0.2, -0.5]
    assert policy.command_range[1].tolist() == [0.6, 0.2, 0.5]
    assert policy.period_s == pytest.approx(0.02)
    assert tuple(policy.contract.joints) == pup().order.names
    assert policy.contract.golden is not None
    assert len(policy.contract.golden.pairs) == 20


@pytest.mark.skipif(not DEMO.is_file(), reason=f"the demo policy's own description is not at {DEMO}")
def test_the_shipped_contract_says_what_training_wrote():
    demo = json.loads(DEMO.read_text())
    contract, _ = read_contract(PUP_WALK)
    assert list(contract.joints) == demo["joint_order"]
    joints = contract.joints.values()
    assert [joint.default_rad for joint in joints] == demo["default_position_rad"]
    assert [joint.scale_rad for joint in joints] == demo["action"]["scale_rad"]
    assert [joint.kp_nm_per_rad for joint in joints] == demo["pd"]["kp_nm_per_rad"]
    assert [joint.kd_nm_s_per_rad for joint in joints] == demo["pd"]["kd_nm_s_per_rad"]
    assert contract.policy_hz == demo["rates"]["policy_hz"]
    terms = contract.observation.terms
    assert [(row.name, row.dim) for row in terms] == [(row["name"], row["dim"]) for row in demo["observation"]["terms"]]
    measured = demo["observation"]["measured_range"]
    assert [value for row in terms for value in row.minimum] == measured["minimum"]
    assert [value for row in terms for value in row.maximum] == measured["maximum"]
    axes = contract.command.values()
    assert [axis.trained[0] for axis in axes] == demo["command"]["trained_minimum"]
    assert [axis.trained[1] for axis in axes] == demo["command"]["trained_maximum"]
    assert contract.golden is not None
    for ours, theirs in zip(contract.golden.pairs, demo["golden"]["pairs"], strict=True):
        assert list(ours.observation) == theirs["obs"]
        assert list(ours.action) == theirs["actions"]
