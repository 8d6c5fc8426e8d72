"""The training example still fits the robot and the contract's schema. It is not trained here."""

import importlib
import itertools
import sys

import numpy as np
import pytest
import yaml

from supervisor.policy.policy import load_policy
from tests.policy.making import PUP_WALK, ROOT, pup

FOLDER = ROOT / "examples" / "train_pup"
MODULES = ("pup", "vec_env", "export", "make_contract", "episodes", "evaluate", "train")


@pytest.fixture
def example(monkeypatch):
    """Imports a module of the example, whose names are too plain to stay importable."""
    pytest.importorskip("mujoco")
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


def test_a_contract_made_from_the_training_code_is_accepted_and_says_what_the_shipped_one_says(example, tmp_path):
    assumed, making = example("pup"), example("make_contract")
    sizes = (assumed.OBSERVATION_DIM, 8, assumed.ACTION_DIM)
    # A network that answers every observation with zero, so that its golden pair is known.
    layers = [(np.zeros((b, a)), np.zeros(b)) for a, b in itertools.pairwise(sizes)]
    example("export").export_policy(tmp_path / "policy.onnx", layers, assumed.OBSERVATION_SCALE)
    contract = making.build_contract(tmp_path / "policy.onnx")
    low, high = -np.ones(assumed.OBSERVATION_DIM), np.ones(assumed.OBSERVATION_DIM)
    making.add_measurements(contract, low, high, [(low, np.zeros(assumed.ACTION_DIM))])
    making.write_contract(contract, tmp_path)
    assert len(load_policy(tmp_path, pup()).golden_errors()) == 1

    shipped = yaml.safe_load((PUP_WALK / "contract.yaml").read_text())
    made = yaml.safe_load((tmp_path / "contract.yaml").read_text())
    for key in ("name", "policy_hz", "joints", "action", "command", "clock", "trained_on", "input", "output"):
        assert made[key] == shipped[key]
    for ours, theirs in zip(made["observation"]["terms"], shipped["observation"]["terms"], strict=True):
        assert {**ours, "minimum": 0, "maximum": 0} == {**theirs, "minimum": 0, "maximum": 0}


def test_the_shipped_policy_walks_in_the_examples_own_runtime(example):
    episodes, evaluate = example("episodes"), example("evaluate")
    runtime = evaluate.Runtime(PUP_WALK)
    result = evaluate.run_episode(runtime, episodes.Episode((0.4, 0.0, 0.0), duration_s=3.0))
    assert result["success"]
    assert result["mean_velocity"][0] == pytest.approx(0.47, abs=0.05)


def test_one_update_of_training_runs(example):
    torch = pytest.importorskip("torch")
    assumed, train = example("pup"), example("train")
    env = example("vec_env").VecEnv(4, 1, 0)
    net = train.ActorCritic(assumed.OBSERVATION_DIM + env.PRIVILEGED_DIM)
    batch, _, terms = train.collect(env, net, 4, env.observe())
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = train.update(net, optimiser, batch, train.Mirror(), 0.0)
    assert np.isfinite(losses["value_loss"])
    assert 0.0 <= terms["track_linear"] <= 1.0
