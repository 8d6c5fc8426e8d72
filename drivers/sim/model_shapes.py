"""Where the shapes of a MuJoCo model are: lowest points, what may touch the floor, and where the floor is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from drivers.sim.plant import import_mujoco

mujoco: Any = import_mujoco()


def lowest_point_m(model: Any, data: Any, geom: int) -> float:
    """Height of the lowest point of a shape."""
    kind = int(model.geom_type[geom])
    down = data.geom_xmat[geom].reshape(3, 3)[2]
    size = model.geom_size[geom]
    height = float(data.geom_xpos[geom][2])
    if kind == int(mujoco.mjtGeom.mjGEOM_SPHERE):
        return height - float(size[0])
    if kind == int(mujoco.mjtGeom.mjGEOM_CAPSULE):
        return height - float(size[0]) - abs(float(down[2])) * float(size[1])
    if kind == int(mujoco.mjtGeom.mjGEOM_CYLINDER):
        across = math.sqrt(max(1.0 - float(down[2]) ** 2, 0.0))
        return height - across * float(size[0]) - abs(float(down[2])) * float(size[1])
    if kind == int(mujoco.mjtGeom.mjGEOM_ELLIPSOID):
        return height - float(np.linalg.norm(down * size))
    if kind == int(mujoco.mjtGeom.mjGEOM_MESH):
        mesh = int(model.geom_dataid[geom])
        start, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
        return height + float((model.mesh_vert[start : start + count] @ down).min())
    box = model.geom_aabb[geom]
    return height + float(down @ box[:3]) - float(np.abs(down) @ box[3:])


def touches_floor(model: Any, geom: int, world_geoms: Sequence[int]) -> bool:
    """Whether MuJoCo lets a shape collide with one of the fixed shapes."""
    for other in world_geoms:
        first = int(model.geom_contype[geom]) & int(model.geom_conaffinity[other])
        if first or int(model.geom_contype[other]) & int(model.geom_conaffinity[geom]):
            return True
    pairs = {(int(model.pair_geom1[i]), int(model.pair_geom2[i])) for i in range(model.npair)}
    return any((geom, other) in pairs or (other, geom) in pairs for other in world_geoms)


def fixed_geoms(model: Any) -> list[int]:
    """Shapes that never move: floor, terrain, furniture."""
    return [g for g in range(model.ngeom) if int(model.body_weldid[int(model.geom_bodyid[g])]) == 0]


def floor_height_m(model: Any, data: Any, x_m: float, y_m: float) -> float:
    """Height of the ground under a place: that of the plane, else of whatever a ray from above meets."""
    planes = [g for g in fixed_geoms(model) if int(model.geom_type[g]) == int(mujoco.mjtGeom.mjGEOM_PLANE)]
    upright = [g for g in planes if float(data.geom_xmat[g][8]) > 0.99]
    if upright:
        return max(float(data.geom_xpos[g][2]) for g in upright)
    heights = [
        float(data.geom_xpos[g][2] + model.geom_rbound[g]) for g in fixed_geoms(model) if model.geom_rbound[g] > 0.0
    ]
    if not heights:
        return 0.0
    top = max(heights) + 1.0
    hit = np.zeros(1, dtype=np.int32)
    distance = -1.0
    blocked = np.zeros(6, dtype=np.uint8) + 1
    geoms = set(fixed_geoms(model))
    start = top
    # A ray may meet the robot first: go on below each shape that moves.
    for _ in range(64):
        point = np.array([x_m, y_m, start])
        distance = float(mujoco.mj_ray(model, data, point, np.array([0.0, 0.0, -1.0]), blocked, 1, -1, hit))
        if distance < 0.0 or int(hit[0]) in geoms:
            break
        start -= distance + 1e-3
    return start - distance if distance >= 0.0 else 0.0
