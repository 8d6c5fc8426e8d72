"""What the policy is tried on: single episodes, in suites."""

import dataclasses
import itertools

# Mistakes and failures that a supervisor should notice; not every one makes the robot fall.
FAULTS = (
    "gravity sign",
    "gyro sign",
    "imu frozen",
    "front legs swapped",
    "joint offsets missing",
    "clock dead",
    "fl_calf motor dead",
    "actions random",
)


@dataclasses.dataclass(frozen=True)
class Episode:
    """One run: a command on a robot and a floor."""

    command: tuple[float, float, float]
    duration_s: float = 10.0
    friction: float = 0.8
    trunk_mass_scale: float = 1.0
    delay_steps: int = 0
    gain: float = 1.0
    gain_after_s: tuple[float, float] | None = None  # (time, gain) of a later change
    stop_after_s: float | None = None
    push_m_per_s: float = 0.0  # sideways, at 3 s and 6 s
    noise: bool = False
    fault: str = ""  # one of FAULTS, from the beginning
    start: str = "stand"  # keyframe; "rest" is followed by a two-second stand-up
    seed: int = 0


GRID_COMMANDS = ((0.4, 0.0, 0.0), (0.6, 0.0, 0.0), (0.3, 0.0, 0.4), (0.0, 0.2, 0.0), (-0.2, 0.0, 0.0))


def build_suites() -> dict[str, dict[str, Episode]]:
    """Return every episode by suite and label."""
    commands = [
        (0, 0, 0),
        (0.2, 0, 0),
        (0.4, 0, 0),
        (0.6, 0, 0),
        (-0.3, 0, 0),
        (0, 0.2, 0),
        (0, -0.2, 0),
        (0, 0, 0.5),
        (0, 0, -0.5),
        (0.4, 0, 0.5),
        (0.4, 0.15, -0.3),
    ]
    suites: dict[str, dict[str, Episode]] = {
        "nominal": {str(command): Episode(command) for command in commands},
        "noise": {str(command): Episode(command, noise=True, seed=7) for command in commands},
        "gain": {
            f"g={gain} {command}": Episode(command, gain=gain)
            for gain in (0.1, 0.25, 0.5, 0.75, 1.0)
            for command in ((0, 0, 0), (0.2, 0, 0), (0, 0, 0.3), (0.4, 0, 0))
        },
        "gain_change_while_walking": {
            f"0.4 m/s, gain 1 -> {gain} at 4 s": Episode((0.4, 0, 0), gain_after_s=(4.0, gain))
            for gain in (0.1, 0.25, 0.5, 0.75)
        },
        "stop": {
            f"{command} then 0 at 5 s": Episode(command, stop_after_s=5.0)
            for command in ((0.6, 0, 0), (0, 0.2, 0), (0, 0, 0.5))
        },
        "push": {
            f"{command}, {push} m/s sideways": Episode(command, push_m_per_s=push, noise=True, seed=seed)
            for seed, (command, push) in enumerate(itertools.product(((0, 0, 0), (0.4, 0, 0)), (0.4, 0.7, 1.0)))
        },
        "rest": {f"rest, stand up, {command}": Episode(command, start="rest") for command in ((0, 0, 0), (0.4, 0, 0))},
    }
    suites["faults"] = {fault: Episode((0.4, 0.0, 0.0), fault=fault, noise=True) for fault in FAULTS}
    # Outside what it was trained for: where it stops working is worth knowing too.
    walk = (0.4, 0.0, 0.0)
    suites["beyond"] = {
        **{f"delay {20 * n} ms": Episode(walk, delay_steps=n, noise=True) for n in (3, 4, 6)},
        **{f"trunk mass x {scale}": Episode(walk, trunk_mass_scale=scale, noise=True) for scale in (2.0, 2.5)},
        **{f"friction {mu}": Episode(walk, friction=mu, noise=True) for mu in (0.2, 0.1)},
        **{f"push {v} m/s sideways": Episode(walk, push_m_per_s=v, noise=True) for v in (1.5, 2.0, 2.5)},
        **{f"command {v} m/s": Episode((v, 0.0, 0.0), noise=True) for v in (0.8, 1.0)},
    }
    grid = itertools.product((0.3, 0.5, 0.8, 1.0, 1.5), (0.75, 1.0, 1.25, 1.5), (0, 1, 2))
    suites["grid"] = {
        f"friction={friction} mass={mass} delay={delay} {command}": Episode(
            command, friction=friction, trunk_mass_scale=mass, delay_steps=delay, noise=True, seed=seed
        )
        for friction, mass, delay in grid
        for seed, command in enumerate(GRID_COMMANDS)
    }
    # Derated or idle robots only have to stay up, whatever they stand on.
    grid = itertools.product((0.1, 0.25, 0.5, 0.75, 1.0), (0.3, 0.8, 1.5), (0.75, 1.5), (0, 2))
    suites["stay_up"] = {
        f"gain={gain} friction={friction} mass={mass} delay={delay} {command}": Episode(
            command, gain=gain, friction=friction, trunk_mass_scale=mass, delay_steps=delay, noise=True, seed=3
        )
        for gain, friction, mass, delay in grid
        for command in ((0, 0, 0), (0.2, 0, 0))
    }
    return suites


SUMMARISED = ("grid", "stay_up")  # too many episodes to print one by one
