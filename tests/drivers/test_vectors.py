"""Every case of every vector file, for the protocols that are implemented.

The folders are those in HANDRAIL_VECTORS (colon separated); by default the vectors beside these tests, and those in
`../shared/vectors` where present.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.vector_adapters import UnknownOperationError, protocols

ROOT = Path(__file__).resolve().parents[2]
OWN_FOLDER = ROOT / "tests" / "data" / "vectors"
SHARED_FOLDER = ROOT.parent / "shared" / "vectors"
PROTOCOLS = protocols()


def folders() -> list[Path]:
    given = os.environ.get("HANDRAIL_VECTORS", "")
    if given:
        return [Path(part).resolve() for part in given.split(":") if part]
    return [OWN_FOLDER, SHARED_FOLDER] if SHARED_FOLDER.is_dir() else [OWN_FOLDER]


def files() -> list[Path]:
    return [path for folder in folders() for path in sorted(folder.glob("*.json"))]


def content(path: Path) -> Mapping[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def cases() -> list[Any]:
    return [
        pytest.param(content(path)["protocol"], case, id=f"{path.parent.name}-{path.stem}-{case['name']}")
        for path in files()
        if content(path)["protocol"] in PROTOCOLS
        for case in content(path)["cases"]
    ]


@pytest.mark.parametrize("folder", folders(), ids=str)
def test_the_folder_holds_vectors(folder: Path) -> None:
    assert any(folder.glob("*.json")), f"no vector file in {folder}"


@pytest.mark.parametrize("path", files(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_protocol_is_implemented_and_the_file_is_whole(path: Path) -> None:
    vectors = content(path)
    if vectors["protocol"] not in PROTOCOLS:
        pytest.skip(f"protocol {vectors['protocol']} is not implemented yet ({len(vectors['cases'])} cases)")
    assert len(vectors["cases"]) == vectors["count"]


@pytest.mark.parametrize(("protocol", "case"), cases())
def test_the_codec_agrees_with(protocol: str, case: Mapping[str, Any]) -> None:
    PROTOCOLS[protocol](case)


def test_our_own_folder_has_every_implemented_protocol() -> None:
    found = {content(path)["protocol"] for path in OWN_FOLDER.glob("*.json")}
    assert found >= set(PROTOCOLS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_operation_is_a_failure(protocol: str) -> None:
    with pytest.raises(UnknownOperationError):
        PROTOCOLS[protocol]({"name": "teleport/now", "op": "teleport", "direction": "encode", "inputs": {}})
