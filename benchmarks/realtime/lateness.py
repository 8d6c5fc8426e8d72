"""How late something woke up, or how long it took: by percentiles, and by a timer in C beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple


class Lateness(NamedTuple):
    """In microseconds."""

    p50: float
    p99: float
    p999: float
    largest: float

    def row(self, name: str) -> str:
        """As a line of a table."""
        return f"| {name} | " + " | ".join(f"{value:.1f}" if value < 20 else f"{value:.0f}" for value in self) + " |"


def start_timer(hz: float, seconds: float, folder: Path) -> subprocess.Popen[bytes] | None:
    """`cyclictest`, at the same rate and one priority above, where it is installed."""
    if shutil.which("cyclictest") is None:
        return None
    command = ["cyclictest", "-q", "-m", "-p", "61", "-i", str(round(1e6 / hz)), "-t", "1", "-D", str(round(seconds))]
    return subprocess.Popen([*command, "-h", "20000", "--json", str(folder / "timer.json")], stdout=subprocess.DEVNULL)


def timer_lateness(folder: Path) -> Lateness | None:
    """What `cyclictest` found."""
    path = folder / "timer.json"
    if not path.is_file():
        return None
    thread = json.loads(path.read_text())["thread"]["0"]
    histogram = {int(late): int(count) for late, count in thread["histogram"].items()}
    total = sum(histogram.values())

    def quantile(share: float) -> float:
        seen = 0
        for late, count in sorted(histogram.items()):
            seen += count
            if seen >= share * total:
                return late
        return float("nan")

    return Lateness(quantile(0.5), quantile(0.99), quantile(0.999), float(thread["max"]))
