"""A person steers a run in processes, over the local socket."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import yaml

from supervisor.core.velocity import Velocity
from supervisor.evidence.events import read_events
from supervisor.runtime.app import run_mission
from supervisor.runtime.inputs.client import send
from supervisor.runtime.locate import find_mission
from supervisor.runtime.options import RunOptions
from tests.runtime.processes.patient import patient_robot
from tests.runtime.processes.test_run import Culprit, assert_whole

WISH = Velocity(0.3, 0.0, 9.0)
LIMIT_S = 60.0


def hanging_mission(folder: Path) -> Path:
    """The shipped mission's beginning and its end, on the gantry, for a machine that takes its time."""
    content = yaml.safe_load(find_mission("teleoperation").read_text())
    content["stages"] = [stage for stage in content["stages"] if stage["name"] in ("preflight", "stand", "drive")]
    for stage in content["stages"]:
        stage["accept"] = [row for row in stage["accept"] if row["metric"] in ("devices_ok_fraction", "tilt_max_rad")]
    content["stages"][-1] |= {"support": "gantry", "duration": {"minimum_s": 0.1, "maximum_s": LIMIT_S}}
    content["stages"][-1]["steering"]["maximum_age_s"] = 1.0
    path = folder / "mission.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_a_wish_over_the_socket_is_followed_recorded_and_ended_by_a_confirmation(tmp_path: Path) -> None:
    answers: list[str] = []

    def steer() -> None:
        until_s = time.monotonic() + LIMIT_S
        while time.monotonic() < until_s and answers[-1:] != [str(Velocity(0.3, 0.0, 0.5))]:
            answers.append(send("steer", velocity=WISH).lines[0].rpartition("told ")[2])
            time.sleep(0.1)
        answers.append(send("confirm").kind)

    person = threading.Thread(target=steer)
    progress = Culprit("Steer the robot", person.start)
    options = RunOptions(
        str(patient_robot(tmp_path)), "pup_walk", str(hanging_mission(tmp_path)), runs=tmp_path / "runs"
    )
    result = run_mission(options, progress)
    person.join()
    assert answers[-2:] == [str(Velocity(0.3, 0.0, 0.5)), "accepted"], progress.lines
    assert result.summary["outcome"] == "completed", progress.lines
    assert [stage["outcome"] for stage in result.summary["stages"]] == ["passed"] * 3
    assert_whole(result)
    notes = [event.data for event in read_events(result.folder / "events.jsonl").events if "told" in event.data]
    assert {"asked": [0.3, 0.0, 9.0], "source": "command", "told": [0.3, 0.0, 0.5], "reason": ""} in notes
    assert notes[-1]["told"] == [0.0, 0.0, 0.0]
    assert notes[-1]["reason"]
