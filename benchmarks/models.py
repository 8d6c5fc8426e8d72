"""Robots that exist for measuring only."""

from __future__ import annotations

import math

PER_LEG = 3


def many_legs(joints: int) -> str:
    """A free box with `joints` hinges, three to a leg, as a MuJoCo model."""
    legs, actuators = [], []
    count = math.ceil(joints / PER_LEG)
    for leg in range(count):
        angle = 2.0 * math.pi * leg / count
        x, y = 0.3 * math.cos(angle), 0.3 * math.sin(angle)
        opened = ""
        number = min(PER_LEG, joints - leg * PER_LEG)
        for part in range(number):
            name = f"leg{leg}_{part}"
            place = f"{x:.4f} {y:.4f} 0" if part == 0 else "0 0 -0.15"
            opened += (
                f'<body name="{name}" pos="{place}">'
                f'<joint name="{name}" type="hinge" axis="0 1 0" range="-1 1" damping="0.2" armature="0.01"/>'
                '<geom type="capsule" fromto="0 0 0 0 0 -0.15" size="0.02" mass="0.2"/>'
            )
            actuators.append(f'<motor name="{name}" joint="{name}" forcerange="-20 20" ctrlrange="-20 20"/>')
        legs.append(opened + "</body>" * number)
    return (
        '<mujoco model="many_legs"><option timestep="0.002"/><worldbody>'
        '<geom name="floor" type="plane" size="5 5 0.1"/>'
        '<body name="trunk" pos="0 0 0.5"><freejoint name="root"/>'
        '<geom type="box" size="0.3 0.3 0.05" mass="8"/>'
        f"{''.join(legs)}</body></worldbody><actuator>{''.join(actuators)}</actuator></mujoco>"
    )
