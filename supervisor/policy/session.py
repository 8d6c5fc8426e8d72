"""The network: the only user of onnxruntime, which is imported when a policy is loaded.

Buffers are bound once and reused: a run reads `observation` and writes `action`, and nothing is allocated. One
thread without spinning, because a spinning pool takes the core from the control loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supervisor.core.errors import ConfigError, PolicyError, Problem
from supervisor.policy.contract import RecurrentState

if TYPE_CHECKING:
    import onnxruntime

Tensor = NDArray[np.float32]

MAXIMUM_MODEL_BYTES = 500_000_000
"""Far above any policy of a robot; a larger file is the wrong file."""

WARM_UP_RUNS = 5
"""The first run allocates and is some fifty times slower; after the second nothing changes any more."""


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One input or output as the network declares it.

    Attributes:
        name: Its name.
        shape: Sizes, None where the network leaves one open.
        kind: Element type as onnxruntime names it, `tensor(float)`.
    """

    name: str
    shape: tuple[int | None, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What an ONNX file says of itself."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """An opened ONNX file."""

    path: Path
    facts: ModelFacts
    session: onnxruntime.InferenceSession


def open_model(path: Path) -> Model:
    """Open an ONNX file.

    Raises:
        ConfigError: The file is missing, empty, too large, or no network that onnxruntime can run.
    """

    def refuse(found: str, allowed: str) -> ConfigError:
        return ConfigError([Problem(str(path), None, "", found, allowed)])

    try:
        if path.stat().st_size > MAXIMUM_MODEL_BYTES:
            raise refuse(f"{path.stat().st_size} bytes", f"at most {MAXIMUM_MODEL_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise refuse(error.strerror or str(error), "a readable ONNX file") from None
    if not content:
        raise refuse("an empty file", "an ONNX file")
    try:
        session = _open_session(content)
    except Exception as error:  # noqa: BLE001  onnxruntime raises many types without a common parent
        reason = str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__
        raise refuse(
            f"no network that onnxruntime can run ({reason})", "an ONNX file, complete and undamaged"
        ) from None
    facts = ModelFacts(
        tuple(_facts(item) for item in session.get_inputs()),
        tuple(_facts(item) for item in session.get_outputs()),
        hashlib.sha256(content).hexdigest(),
    )
    return Model(path, facts, session)


def _open_session(content: bytes) -> onnxruntime.InferenceSession:
    import onnxruntime  # noqa: PLC0415  200 ms that only a policy should cost

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what goes wrong is raised; nothing is printed beside it
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _facts(item: Any) -> TensorFacts:
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in item.shape)
    return TensorFacts(item.name, shape, item.type)


class PolicySession:
    """One network with its buffers.

    Args:
        model: The opened file.
        input_name, output_name: The network's observation and action.
        widths: Number of observation values and of actions.
        states: Recurrent states.

    Attributes:
        observation: (n,) float32, read by `run`.
        action: (m,) float32, written by `run`.

    Raises:
        PolicyError: The network does not run on zeros.
    """

    __slots__ = ("_binding", "_run", "_session", "_states", "action", "observation")

    def __init__(
        self, model: Model, input_name: str, output_name: str, widths: tuple[int, int], states: Sequence[RecurrentState]
    ) -> None:
        self._session = model.session
        inputs = {facts.name: facts for facts in model.facts.inputs}
        outputs = {facts.name: facts for facts in model.facts.outputs}
        given = np.zeros(_filled(inputs[input_name].shape, widths[0]), np.float32)
        result = np.zeros(_filled(outputs[output_name].shape, widths[1]), np.float32)
        self.observation: Tensor = given.reshape(-1)
        self.action: Tensor = result.reshape(-1)
        self._states: list[tuple[Tensor, Tensor]] = []
        self._binding: Any = self._session.io_binding()
        self._bind(input_name, given, is_output=False)
        self._bind(output_name, result, is_output=True)
        for state in states:
            before, after = np.zeros(state.shape, np.float32), np.zeros(state.shape, np.float32)
            self._bind(state.input, before, is_output=False)
            self._bind(state.output, after, is_output=True)
            self._states.append((before, after))
        self._run: Any = self._session.run_with_iobinding
        self._warm_up(model.path)

    def _bind(self, name: str, array: Tensor, *, is_output: bool) -> None:
        bind = self._binding.bind_output if is_output else self._binding.bind_input
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def _warm_up(self, path: Path) -> None:
        try:
            for _ in range(WARM_UP_RUNS):
                self.run()
        except Exception as error:  # noqa: BLE001  onnxruntime raises many types without a common parent
            raise PolicyError(f"{path} does not run on an observation of zeros: {error}") from None
        self.reset()

    def run(self) -> None:
        """Compute `action` from `observation`. Recurrent states move on only with `keep_state`."""
        self._run(self._binding)

    def keep_state(self) -> None:
        """Carry the recurrent states of the last run over to the next one."""
        for before, after in self._states:
            before[...] = after

    def reset(self) -> None:
        """Recurrent states back to zero."""
        for before, _ in self._states:
            before[...] = 0.0


def _filled(shape: tuple[int | None, ...], width: int) -> tuple[int, ...]:
    """A declared shape with the sizes it leaves open: batches of 1, and `width` values at the end."""
    sizes = [size or 1 for size in shape]
    if sizes:
        sizes[-1] = width
    return tuple(sizes)
