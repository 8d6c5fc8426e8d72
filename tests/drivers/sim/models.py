"""Small MuJoCo robots written in the tests, plain and with everything that makes other people's models differ."""

from __future__ import annotations

import struct
from pathlib import Path

FLOOR = '<geom name="floor" type="plane" size="0 0 0.1"/>'
HIPS = (("fl", 0.2, 0.1), ("fr", 0.2, -0.1), ("rl", -0.2, 0.1), ("rr", -0.2, -0.1))
STANCE = "0 0 0.35 1 0 0 0 " + " ".join(["0 0.7 -1.4"] * 4)


def leg(name: str, x: float, y: float) -> str:
    """One leg of the quadruped: hip, thigh and calf, 0.2 m each."""
    return f"""
    <body name="{name}_hip" pos="{x} {y} 0">
      <joint name="{name}_hip" axis="1 0 0" range="-0.8 0.8"/>
      <geom type="sphere" size="0.03" mass="0.3" contype="0" conaffinity="0"/>
      <body name="{name}_thigh" pos="0 {0.05 if y > 0 else -0.05} 0">
        <joint name="{name}_thigh" axis="0 1 0" range="-1 2.5"/>
        <geom type="capsule" size="0.02" fromto="0 0 0 0 0 -0.2" mass="0.5"/>
        <body name="{name}_calf" pos="0 0 -0.2">
          <joint name="{name}_calf" axis="0 1 0" range="-2.6 -0.4"/>
          <geom type="capsule" size="0.015" fromto="0 0 0 0 0 -0.2" mass="0.2"/>
          <geom type="sphere" size="0.022" pos="0 0 -0.2" mass="0.05"/>
        </body>
      </body>
    </body>"""


def quadruped(
    *,
    floor: str = FLOOR,
    extra_world: str = "",
    extra_base: str = "",
    extra: str = "",
    actuators: str | None = None,
    keyframes: str = f'<keyframe><key name="home" qpos="{STANCE}"/></keyframe>',
    base: str = '<freejoint name="root"/>',
    compiler: str = '<compiler angle="radian"/>',
) -> str:
    """A quadruped of about 10 kg with torque motors of 25 N·m."""
    if actuators is None:
        names = [f"{name}_{part}" for name, _, _ in HIPS for part in ("hip", "thigh", "calf")]
        actuators = "".join(f'<motor name="{n}_m" joint="{n}" ctrlrange="-25 25"/>' for n in names)
    legs = "".join(leg(*hip) for hip in HIPS)
    return f"""<mujoco model="test quadruped">{compiler}
  <option timestep="0.002"/>
  <default><joint armature="0.01" damping="0.1"/><geom contype="0" conaffinity="1"/>
    <default class="world"><geom contype="1" conaffinity="0"/></default></default>
  <worldbody>{floor.replace("<geom ", '<geom class="world" ')}{extra_world}
    <body name="trunk" pos="0 0 0.35">{base}
      <geom type="box" size="0.22 0.1 0.05" mass="6"/>{extra_base}{legs}
    </body>
  </worldbody>{extra}<actuator>{actuators}</actuator>{keyframes}</mujoco>"""


def biped() -> str:
    """A torso on two legs with small feet: it does not stand by itself for long."""

    def side(name: str, y: float) -> str:
        return f"""
      <body name="{name}_thigh" pos="0 {y} -0.1"><joint name="{name}_hip" axis="0 1 0" range="-1.5 1.5"/>
        <geom type="capsule" size="0.04" fromto="0 0 0 0 0 -0.3" mass="3"/>
        <body name="{name}_shin" pos="0 0 -0.3"><joint name="{name}_knee" axis="0 1 0" range="0 2.3"/>
          <geom type="capsule" size="0.03" fromto="0 0 0 0 0 -0.3" mass="2"/>
          <body name="{name}_foot" pos="0 0 -0.3"><joint name="{name}_ankle" axis="0 1 0" range="-0.8 0.8"/>
            <geom type="box" size="0.05 0.02 0.01" pos="0.01 0 -0.03" mass="0.3"/>
          </body></body></body>"""

    names = [f"{s}_{part}" for s in ("left", "right") for part in ("hip", "knee", "ankle")]
    servos = "".join(f'<position name="{n}" joint="{n}" kp="120" kv="4" forcerange="-60 60"/>' for n in names)
    return f"""<mujoco model="test biped"><compiler angle="radian"/>
  <default><joint armature="0.02" damping="0.5"/></default>
  <worldbody><geom type="plane" size="0 0 0.1"/>
    <body name="pelvis" pos="0 0 0.85"><freejoint/>
      <site name="imu_in_pelvis" pos="0.02 0 0.1" euler="0 0 1.57"/>
      <geom type="box" size="0.08 0.12 0.2" pos="0 0 0.12" mass="14" contype="0" conaffinity="0"/>
      {side("left", 0.08)}{side("right", -0.08)}
    </body></worldbody>
  <actuator>{servos}</actuator>
  <sensor><gyro name="gyro" site="imu_in_pelvis"/><actuatorfrc name="force" actuator="left_hip"/></sensor></mujoco>"""


def write(folder: Path, text: str, name: str = "model.xml") -> Path:
    """Write a model into a folder."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def write_tetrahedron(path: Path) -> None:
    """A binary STL file with four triangles."""
    corners = ((0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.1))
    faces = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
    data = bytes(80) + struct.pack("<I", len(faces))
    for face in faces:
        data += struct.pack("<3f", 0.0, 0.0, 0.0) + b"".join(struct.pack("<3f", *corners[i]) for i in face) + bytes(2)
    path.write_bytes(data)
