"""What a copied model gets so that a robot can live in it: gravity, a fitting step, a floor, a belly, an IMU site."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np

from drivers.sim.model_copy import ModelText, refuse
from drivers.sim.model_facts import ModelFacts
from drivers.sim.model_shapes import fixed_geoms, touches_floor
from drivers.sim.plant import import_mujoco

mujoco: Any = import_mujoco()

FLOOR = "handrail_floor"
BELLY = "handrail_belly"
IMU_SITE = "handrail_imu"

_IMU_SENSORS = (
    mujoco.mjtSensor.mjSENS_GYRO,
    mujoco.mjtSensor.mjSENS_ACCELEROMETER,
    mujoco.mjtSensor.mjSENS_FRAMEQUAT,
)


def adapt(text: ModelText, facts: ModelFacts, control_hz: float) -> None:
    """Give the copy a step that fits the control period, gravity, a floor, and a belly to lie on."""
    model = facts.model
    option = text.section("option")
    period = 1.0 / control_hz
    step = float(model.opt.timestep)
    substeps = max(math.ceil(period / step - 1e-9), 1)
    if not math.isclose(step * substeps, period, rel_tol=1e-9):
        text.remarks.append(f"the physics step of {step:g} s became {period / substeps:g} s, to fit the control period")
    option.set("timestep", f"{period / substeps:.9g}")
    if np.linalg.norm(model.opt.gravity) < 1.0:
        option.set("gravity", "0 0 -9.81")
        text.remarks.append("the model has no gravity: 9.81 m/s² was set")
    for flag in option.findall("flag"):
        for key in ("gravity", "contact", "actuation", "constraint", "limit"):
            if flag.attrib.pop(key, "enable") != "enable":
                text.remarks.append(f"the model switches {key} off: it was switched on")
    _add_floor(text, facts)
    _add_belly(text, facts)


def _add_floor(text: ModelText, facts: ModelFacts) -> None:
    """A model of the robot alone has no floor to stand on."""
    model = facts.model
    if any(touches_floor(model, g, fixed_geoms(model)) for g in facts.geoms):
        return
    bits = [(int(model.geom_contype[g]), int(model.geom_conaffinity[g])) for g in facts.geoms]
    if not any(first or second for first, second in bits):
        raise refuse(text.source, "no shape of the robot can touch anything", "collision geoms (contype, conaffinity)")
    contype = conaffinity = 1
    for first, second in bits:
        contype |= second
        conaffinity |= first
    world = text.section("worldbody")
    floor = ET.Element("geom", name=FLOOR, type="plane", size="0 0 0.05", condim="3", friction="0.8 0.005 0.0001")
    floor.set("contype", str(contype))
    floor.set("conaffinity", str(conaffinity))
    world.insert(0, floor)
    text.remarks.append("the model has no floor: a plane at height 0 was added")


def _add_belly(text: ModelText, facts: ModelFacts) -> None:
    """A base that nothing can touch would sink through the floor when the robot lies down: give it a box."""
    model = facts.model
    fixed = fixed_geoms(model)
    own = [g for g in facts.geoms if int(model.geom_bodyid[g]) == facts.base]
    if any(touches_floor(model, g, fixed) for g in own) or not own:
        return
    planes = [g for g in fixed if int(model.geom_type[g]) == int(mujoco.mjtGeom.mjGEOM_PLANE)]
    world = text.section("worldbody")
    floor = FLOOR
    if planes:
        elements = [geom for geom in world.findall("geom") if geom.get("type") == "plane"]
        if len(elements) != len(planes):
            return
        floor = elements[0].get("name", FLOOR)
        elements[0].set("name", floor)
    elif world.find(f"geom[@name='{FLOOR}']") is None:
        return
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for g in own:
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.geom_quat[g])
        turn = turn.reshape(3, 3)
        centre = model.geom_pos[g] + turn @ model.geom_aabb[g][:3]
        half = np.abs(turn) @ model.geom_aabb[g][3:]
        low, high = np.minimum(low, centre - half), np.maximum(high, centre + half)
    base = text.root.find(f".//body[@name='{facts.base_name}']")
    if base is None or not bool(np.all(high > low)):
        return
    box = ET.SubElement(base, "geom", name=BELLY, type="box", mass="0", contype="0", conaffinity="0", group="4")
    box.set("pos", " ".join(f"{value:.6g}" for value in (low + high) / 2.0))
    box.set("size", " ".join(f"{value:.6g}" for value in (high - low) / 2.0))
    box.set("quat", "1 0 0 0")
    box.set("rgba", "0.5 0.5 0.5 0.2")
    ET.SubElement(text.section("contact"), "pair", geom1=floor, geom2=BELLY, condim="3")
    text.remarks.append("nothing of the base can touch the floor: a box of its size was added that can")


def place_imu(text: ModelText, facts: ModelFacts) -> str:
    """The site of the inertial unit: the model's own if it is on the base and aligned with it, else one of ours."""
    model = facts.model
    site = imu_site(facts)
    position = np.zeros(3)
    if site >= 0 and int(model.site_bodyid[site]) == facts.base:
        position = model.site_pos[site]
        name = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_SITE, site)
        if name and abs(abs(float(model.site_quat[site][0])) - 1.0) < 1e-6:
            return name
        text.remarks.append(f"the inertial unit is taken as aligned with the base, at the model's site {name or ''}")
    else:
        text.remarks.append("the model has no inertial unit on its base: one was put at the base's origin")
    base = text.root.find(f".//body[@name='{facts.base_name}']")
    if base is None:
        raise refuse(text.source, "a base body that is not in the saved model", "a named body with the free joint")
    ET.SubElement(
        base, "site", name=IMU_SITE, pos=" ".join(f"{value:.9g}" for value in position), quat="1 0 0 0", size="0.01"
    )
    return IMU_SITE


def imu_site(facts: ModelFacts) -> int:
    """The site that the model's inertial sensors sit on, else one with `imu` in its name, else -1."""
    model = facts.model
    own = set(facts.bodies)
    candidates: list[int] = []
    for kind in _IMU_SENSORS:
        for i in range(model.nsensor):
            is_site = int(model.sensor_objtype[i]) == int(mujoco.mjtObj.mjOBJ_SITE)
            if int(model.sensor_type[i]) == int(kind) and is_site:
                candidates.append(int(model.sensor_objid[i]))
    names = [mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_SITE, s) or "" for s in range(model.nsite)]
    candidates += [s for s, name in enumerate(names) if "imu" in name.lower()]
    inside = [s for s in candidates if int(model.site_bodyid[s]) in own]
    on_base = [s for s in inside if int(model.site_bodyid[s]) == facts.base]
    return (on_base or inside or [-1])[0]
