"""A self-contained copy of anybody's MuJoCo model, fit for simulated motors.

MuJoCo resolves includes, attached sub-models, replicates and angle units when it saves a model. What is left to do
here: bring the asset files along, give nameless joints and bodies names, and replace the actuators by plain torque
motors, because on our side of the wire the control law runs in the simulated motor and not in the model.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from drivers.sim.plant import import_mujoco
from supervisor.core.errors import ConfigError, Problem

mujoco: Any = import_mujoco()

MAXIMUM_MODEL_BYTES = 200_000_000
"""Robots with every mesh written into the XML stay below a tenth of this."""

ASSET_FOLDER = "assets"
_ASSETS_WITH_FILES = ("mesh", "hfield", "skin", "texture")
_TEXT_ATTRIBUTES = ("name", "class", "childclass", "joint", "body", "site", "geom", "mesh", "material")
_SENSORS_OF_ACTUATORS = ("actuatorpos", "actuatorvel", "actuatorfrc")


@dataclass(slots=True)
class ModelText:
    """A model as one XML tree, with the files that it needs.

    Attributes:
        source: The file it was read from.
        root: The `mujoco` element; edited in place.
        assets: Where each file under `assets/` comes from.
        remarks: What was changed, in plain words.
    """

    source: Path
    root: ET.Element
    assets: dict[str, Path] = field(default_factory=dict[str, Path])
    remarks: list[str] = field(default_factory=list[str])

    def section(self, tag: str) -> ET.Element:
        """The top-level element `tag`, made when there is none."""
        found = self.root.find(tag)
        return found if found is not None else ET.SubElement(self.root, tag)

    def write(self, folder: Path, name: str = "model.xml") -> Path:
        """Write the model and its assets into a folder; returns the path of the model."""
        folder.mkdir(parents=True, exist_ok=True)
        for file, origin in self.assets.items():
            (folder / ASSET_FOLDER).mkdir(exist_ok=True)
            shutil.copyfile(origin, folder / ASSET_FOLDER / file)
        ET.indent(self.root)
        path = folder / name
        path.write_text(ET.tostring(self.root, encoding="unicode") + "\n", encoding="utf-8")
        return path


class Drive(NamedTuple):
    """A joint that gets a torque motor in the copy."""

    joint: str
    torque_nm: float


def refuse(file: Path, found: str, allowed: str, key: str = "") -> ConfigError:
    """A model file that cannot be used, as the one error that users of files see."""
    return ConfigError([Problem(str(file), None, key, found, allowed)])


def read_model(path: Path) -> ModelText:
    """Read and flatten a MuJoCo model.

    Args:
        path: An MJCF file; whatever it includes or attaches is resolved.

    Raises:
        ConfigError: Missing, empty, binary, not MJCF, not accepted by MuJoCo, or an asset that cannot be found again.
    """
    _check_bytes(path)
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, OSError, RuntimeError) as error:
        raise refuse(path, f"MuJoCo refuses it: {' '.join(str(error).split())}", "a model that MuJoCo loads") from None
    handle, flat = tempfile.mkstemp(suffix=".xml")
    os.close(handle)
    try:
        mujoco.mj_saveLastXML(flat, model)
        # The text is MuJoCo's own output, not the user's: no entities, no external references.
        root = ET.parse(flat).getroot()  # noqa: S314
    except (ET.ParseError, mujoco.FatalError) as error:
        raise refuse(path, f"MuJoCo cannot write it out again: {error}", "a model without plug-in elements") from None
    finally:
        Path(flat).unlink()
    text = ModelText(path, root)
    _collect_assets(text)
    _name_everything(text)
    return text


def _check_bytes(path: Path) -> None:
    """Refuse, in plain words, what MuJoCo would only call a parse error."""
    try:
        if path.is_dir():
            raise refuse(path, "a folder", "an MJCF file (.xml)")
        size = path.stat().st_size
        if size > MAXIMUM_MODEL_BYTES:
            raise refuse(path, f"{size} bytes", f"at most {MAXIMUM_MODEL_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise refuse(path, error.strerror or str(error), "a readable MJCF file") from None
    if not content.strip():
        raise refuse(path, "an empty file", "an MJCF file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise refuse(path, "bytes that are not text", "an MJCF text file (a compiled .mjb model cannot be edited)")
    if "<robot" in text and "<mujoco" not in text:
        raise refuse(path, "a URDF file", "an MJCF file: open it in MuJoCo, give it a free joint and save it as XML")
    if "<mujoco" not in text:
        raise refuse(path, "no <mujoco> element", "an MJCF file")
    found = _not_finite(text)
    if found:
        raise refuse(path, found, "finite numbers")


def _not_finite(text: str) -> str:
    """The first attribute that is a list of numbers and has one that is not finite: MuJoCo only warns."""
    if not re.search("nan|inf", text, re.IGNORECASE):
        return ""
    for key, value in re.findall(r'([\w:]+)\s*=\s*"([^"]*)"', text):
        try:
            numbers = [float(word) for word in value.split()] if key not in _TEXT_ATTRIBUTES else []
        except ValueError:
            continue
        if not all(math.isfinite(number) for number in numbers):
            return f'{key}="{value if len(value) < 60 else value[:57] + "..."}"'
    return ""


def _collect_assets(text: ModelText) -> None:
    """Point every asset at `assets/` and remember where it is now."""
    compiler = text.section("compiler")
    base = text.source.resolve().parent
    folders = {tag: compiler.get("texturedir" if tag == "texture" else "meshdir", "") for tag in _ASSETS_WITH_FILES}
    shared = compiler.get("assetdir", "")
    for key in ("meshdir", "texturedir", "assetdir", "strippath"):
        compiler.attrib.pop(key, None)
    missing: list[Problem] = []
    for element in text.section("asset"):
        for key in [key for key in element.attrib if key.startswith("file") and element.tag in _ASSETS_WITH_FILES]:
            name = element.attrib[key]
            if element.tag != "skin" and "name" not in element.attrib:
                element.set("name", Path(name).stem)  # MuJoCo's own rule, which renaming the file would break
            origin = _find_asset(base, (folders.get(element.tag, ""), shared, ""), name)
            if origin is None:
                missing.append(Problem(str(text.source), None, element.tag, name, "a file beside the model"))
                continue
            copied = f"{len(text.assets):03d}_{origin.name}"
            known = next((file for file, where in text.assets.items() if where == origin), copied)
            text.assets[known] = origin
            element.set(key, f"{ASSET_FOLDER}/{known}")
    if missing:
        raise ConfigError(missing)


def _find_asset(base: Path, folders: Sequence[str], name: str) -> Path | None:
    """Where an asset's file is: as MuJoCo looks for it, else anywhere below the model (attached sub-models)."""
    for folder in folders:
        candidate = base / folder / name
        if candidate.is_file():
            return candidate.resolve()
    wanted = Path(name).name
    return next((found.resolve() for found in sorted(base.rglob(wanted)) if found.is_file()), None)


def walk(element: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    """Every body and joint below an element with the body that holds it, in the order of the compiled model."""
    for child in element:
        if child.tag == "frame":
            for holder, inner in walk(child):
                yield (element if holder is child else holder), inner
        elif child.tag == "body":
            yield element, child
            yield from walk(child)
        elif child.tag in ("joint", "freejoint"):
            yield element, child


def _name_everything(text: ModelText) -> None:
    """Give bodies and joints without a name one that says where they are."""
    found = list(walk(text.section("worldbody")))
    used = {tag: {item.get("name") for _, item in found if item.tag in tag} for tag in ("body", "joint freejoint")}
    named: list[str] = []
    for holder, item in found:
        if item.get("name"):
            continue
        free = item.tag == "freejoint" or item.get("type") == "free"
        parent = holder.get("name", "") if holder.tag == "body" else ""
        wish = "base" if item.tag == "body" and not parent else f"{parent}_{'root' if free else item.tag}"
        taken = used["body" if item.tag == "body" else "joint freejoint"]
        name = next(n for n in (wish if i == 1 else f"{wish}_{i}" for i in range(1, len(found) + 2)) if n not in taken)
        taken.add(name)
        item.set("name", name)
        if not free:
            named.append(name)
    if named:
        text.remarks.append(f"parts without a name were named: {', '.join(named)}")


def replace_actuators(text: ModelText, drives: Iterable[Drive]) -> None:
    """Replace the model's actuators by one plain torque motor per joint, named after the joint."""
    for tag in ("actuator",):
        for element in text.root.findall(tag):
            text.root.remove(element)
    for sensors in text.root.findall("sensor"):
        for sensor in list(sensors):
            if sensor.tag in _SENSORS_OF_ACTUATORS or sensor.tag == "plugin":
                sensors.remove(sensor)
    for keyframes in text.root.findall("keyframe"):
        for key in keyframes:
            for attribute in ("ctrl", "act"):
                key.attrib.pop(attribute, None)
    actuators = ET.SubElement(text.root, "actuator")
    for drive in drives:
        bound = f"{-drive.torque_nm:.9g} {drive.torque_nm:.9g}"
        # All written out: a default class of the model may set gains, gears and ranges for every actuator.
        ET.SubElement(
            actuators,
            "general",
            name=drive.joint,
            joint=drive.joint,
            gear="1",
            ctrllimited="true",
            ctrlrange=bound,
            forcelimited="true",
            forcerange=bound,
            dyntype="none",
            gaintype="fixed",
            gainprm="1",
            biastype="none",
        )


def add_keyframe(text: ModelText, name: str, qpos: Iterable[float]) -> None:
    """Add a keyframe, replacing one of the same name."""
    keyframes = text.section("keyframe")
    for key in [key for key in keyframes if key.get("name") == name]:
        keyframes.remove(key)
    ET.SubElement(keyframes, "key", name=name, qpos=" ".join(f"{value:.9g}" for value in qpos))
    text.section("size").attrib.pop("nkey", None)
