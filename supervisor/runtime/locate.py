"""Where robots, policies and missions are: names under `config/`, or paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from supervisor.core.errors import ConfigError, Problem


def config_root() -> Path:
    """The folder `config`, which stands beside the packages in a checkout and in an installation alike."""
    return Path(__file__).resolve().parents[2] / "config"


def find_robot(name_or_path: str) -> Path:
    """The `robot.yaml` of a robot.

    Args:
        name_or_path: A name under `config/robots`, a folder that holds `robot.yaml`, or the file itself.

    Raises:
        ConfigError: There is none; the message lists the names there are.
    """
    return _find(name_or_path, "robot", config_root() / "robots", "robot.yaml")


def find_policy(name_or_path: str) -> Path:
    """The `contract.yaml` of a policy.

    Args:
        name_or_path: A name under `config/policies`, a folder that holds `contract.yaml`, or the file itself.

    Raises:
        ConfigError: There is none; the message lists the names there are.
    """
    return _find(name_or_path, "policy", config_root() / "policies", "contract.yaml")


def find_mission(name_or_path: str) -> Path:
    """The file of a mission.

    Args:
        name_or_path: A name under `config/missions`, or a file.

    Raises:
        ConfigError: There is none; the message lists the names there are.
    """
    return _find(name_or_path, "mission", config_root() / "missions", "")


def known(kind: str) -> tuple[str, ...]:
    """Names under `config/`, sorted.

    Args:
        kind: "robots", "policies" or "missions".
    """
    root = config_root() / kind
    if kind == "missions":
        return tuple(sorted(file.stem for file in root.glob("*.yaml")))
    inside = {"robots": "robot.yaml", "policies": "contract.yaml"}[kind]
    return tuple(sorted(file.parent.name for file in root.glob(f"*/{inside}")))


def _find(name_or_path: str, what: str, root: Path, inside: str) -> Path:
    """A plain word is a name first and a path second; anything with a separator or an ending is a path.

    Args:
        name_or_path: As the user gave it.
        what: How messages call it.
        root: Folder of the names.
        inside: File that a folder must hold; "" where the name itself is a file.
    """
    given = Path(name_or_path)
    is_word = name_or_path not in ("", ".", "..") and given.name == name_or_path
    candidates: list[Path] = []
    if is_word:
        candidates.append(root / name_or_path / inside if inside else root / f"{name_or_path}.yaml")
    if name_or_path:
        candidates.append(given)
    for candidate in candidates:
        try:
            if candidate.is_file():
                return candidate
            if inside and (candidate / inside).is_file():
                return candidate / inside
        except (OSError, ValueError):  # a name that no file system takes: too long, or with a zero in it
            break
    is_folder = bool(name_or_path) and bool(inside) and not is_word and given.is_dir()
    found = f"a folder without {inside}" if is_folder else f"no such {what}"
    raise ConfigError([Problem(name_or_path or '""', None, "", found, _allowed(what, known(root.name)))])


def _allowed(what: str, names: Sequence[str]) -> str:
    return f"a path, or a {what} under config: {', '.join(names) or 'there is none'}"
