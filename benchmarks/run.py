"""All benchmarks, one table: `make bench`.

Run it on a machine that does nothing else, and compare figures of different machines by their calibration loop.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib import metadata

from benchmarks import can_bus, control_cycle, footprint, mission_tick, policy_step, public_drivers, tree_tick
from benchmarks.harness import Row, calibration_ms, table

PARTS: tuple[Callable[[], Iterator[Row]], ...] = (
    control_cycle.rows,
    can_bus.rows,
    public_drivers.rows,
    mission_tick.rows,
    tree_tick.rows,
    policy_step.rows,
    footprint.rows,
)


def main() -> int:
    """Measure everything and print the table.

    Returns:
        0 when every goal is met, 1 otherwise.
    """
    before_ms = calibration_ms()
    rows: list[Row] = []
    for part in PARTS:
        for row in part():
            print(f"  {row.name}: {row.value}", file=sys.stderr, flush=True)
            rows.append(row)
    rows.append(
        Row("calibration loop, 20 000 × `x += i*i % 7`", f"{before_ms:.2f} ms, after {calibration_ms():.2f} ms")
    )
    print(table(rows))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "onnxruntime", "py_trees", "mujoco"))
    load = os.getloadavg()[0]
    print(f"\nPython {platform.python_version()}, {versions}; {os.cpu_count()} processors, load {load:.1f} at the end.")
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
