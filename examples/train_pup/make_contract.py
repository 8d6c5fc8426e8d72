"""Write the part of `contract.yaml` that is known before evaluation, beside a trained `policy.onnx`.

    python make_contract.py --folder runs/pup && python evaluate.py --folder runs/pup --update-contract

The second command adds the measured observation ranges and the golden pairs.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pup
import yaml
from vec_env import Randomisation, VecEnv

COMMANDS = ("vx_m_per_s", "vy_m_per_s", "wz_rad_per_s")
RECOMMENDED = ((-0.3, 0.6), (-0.2, 0.2), (-0.5, 0.5))  # where evaluation finds it to follow well
TRACKED_RATIO = (1.17, 0.98, 0.94)  # measured over commanded in the nominal episodes without delay


def build_contract(network: Path) -> dict:
    """Return the contract without measured ranges and golden pairs.

    Args:
        network: The ONNX file; the contract lies in the same folder.
    """
    # The network scales by itself, so the terms here are raw.
    terms = [
        {"name": name, "source": name, "dim": dim, "unit": unit, "frame": frame}
        for name, dim, unit, frame, _ in pup.OBSERVATION_TERMS
    ]
    end = [float(value) for value in VecEnv.COMMAND_END]
    trained = ([-0.5 * end[0], end[0]], [-end[1], end[1]], [-end[2], end[2]])
    random = Randomisation()
    return {
        "schema": 1,
        "name": "pup_walk",
        "model": {"file": network.name, "sha256": hashlib.sha256(network.read_bytes()).hexdigest()},
        "input": "obs",
        "output": "actions",
        "policy_hz": 1.0 / pup.POLICY_PERIOD_S,
        "joints": {
            name: {
                "default_rad": float(default),
                "scale_rad": pup.ACTION_SCALE_RAD,
                "kp_nm_per_rad": pup.KP_NM_PER_RAD,
                "kd_nm_s_per_rad": pup.KD_NM_S_PER_RAD,
            }
            for name, default in zip(pup.JOINT_ORDER, pup.DEFAULT_POSITION_RAD, strict=True)
        },
        "action": {"kind": "position_offset", "clip": [-1.0, 1.0], "clip_order": "before_scale", "last_action": "raw"},
        "observation": {"layout": "term_major", "terms": terms},
        "command": {
            name: {"trained": limits, "recommended": list(recommended), "tracked_ratio": ratio}
            for name, limits, recommended, ratio in zip(COMMANDS, trained, RECOMMENDED, TRACKED_RATIO, strict=True)
        },
        "clock": {
            "frequency_hz": pup.GAIT_FREQUENCY_HZ,
            "outputs": ["sin", "cos"],
            "advance": "after",
            "moving_threshold": pup.MOVING_COMMAND_THRESHOLD,
            "standing_value": [0.0, 0.0],
            "standing_phase": "restart",
        },
        "trained_on": {
            "floor": "flat",
            "friction": list(random.friction),
            "trunk_mass_scale": list(random.trunk_mass_scale),
            "trunk_com_shift_m": random.trunk_com_shift_m,
            "motor_strength": list(random.motor_strength),
            "joint_zero_error_rad": random.joint_zero_error_rad,
            "action_delay_s": [random.delay_s[0], random.long_delay_s[1]],
            "push_m_per_s": random.push_m_per_s,
        },
    }


def add_measurements(
    contract: dict, minimum: np.ndarray, maximum: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Put measured observation ranges and golden pairs into a contract.

    Args:
        contract: Changed in place.
        minimum: (47,) smallest observation of the evaluation.
        maximum: (47,) largest.
        pairs: Observations (47,) and what the network answered (12,).
    """
    first = 0
    for term in contract["observation"]["terms"]:
        part = slice(first, first + term["dim"])
        term["minimum"] = [float(f"{value:.4g}") for value in minimum[part]]
        term["maximum"] = [float(f"{value:.4g}") for value in maximum[part]]
        first += term["dim"]
    contract["golden"] = {
        "tolerance": 1e-4,
        "pairs": [
            {"observation": [float(v) for v in observation], "action": [float(v) for v in action]}
            for observation, action in pairs
        ],
    }


def write_contract(contract: dict, folder: Path) -> None:
    """Write `contract.yaml`, innermost lists and mappings on one line each."""
    text = yaml.safe_dump(contract, sort_keys=False, default_flow_style=None, width=118)
    (folder / "contract.yaml").write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/pup"), help="holds policy.onnx")
    chosen = parser.parse_args().folder
    write_contract(build_contract(chosen / "policy.onnx"), chosen)
