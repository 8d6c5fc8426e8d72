from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.moteus import codec
from drivers.can.moteus.multiplex import READ, REPLY, WRITE, Access, Refusal, encode, parse
from drivers.can.moteus.tables import FAULTS, FD_LENGTHS, LIMITERS, SCALES, Mode, Register, Resolution
from supervisor.core.errors import EncodeError, FrameError

MOTOR = codec.Address(1)
addresses = st.builds(codec.Address, st.integers(1, 126), st.integers(0, 127), st.integers(0, 0x1FFF))
scaled_registers = st.sampled_from([Register(number) for number in sorted(SCALES)])
TOPS = {Resolution.INT8: 127, Resolution.INT16: 32767, Resolution.INT32: 2147483647}


@given(scaled_registers, st.sampled_from(sorted(TOPS)), st.floats(-1.0, 1.0))
def test_a_value_comes_back_within_a_count(register: Register, resolution: Resolution, share: float) -> None:
    scale = SCALES[register][resolution]
    value = share * TOPS[resolution] * scale
    (access,) = parse(codec.encode_values({register: value}, {register: resolution}))
    assert isinstance(access, Access)
    assert codec.scaled(access) == pytest.approx(value, abs=1.001 * scale)
    assert abs(codec.scaled(access)) <= abs(value) + 1e-9 * scale * TOPS[resolution]


@given(scaled_registers, st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_comes_back(register: Register, value: float) -> None:
    (access,) = parse(codec.encode_values({register: value}))
    assert isinstance(access, Access)
    assert codec.scaled(access) == value


@pytest.mark.parametrize("resolution", Resolution)
def test_none_is_the_controllers_nan(resolution: Resolution) -> None:
    register = Register.COMMAND_POSITION
    (access,) = parse(codec.encode_values({register: None}, {register: resolution}))
    assert isinstance(access, Access)
    assert math.isnan(codec.scaled(access))


@given(scaled_registers, st.sampled_from(Resolution), st.sampled_from([math.nan, math.inf, -math.inf, 1e39, -1e39]))
def test_what_is_not_finite_or_too_large_is_refused(register: Register, resolution: Resolution, value: float) -> None:
    with pytest.raises(EncodeError):
        codec.encode_values({register: value}, {register: resolution})


@pytest.mark.parametrize("resolution", sorted(TOPS))
def test_the_most_negative_count_is_never_a_number(resolution: Resolution) -> None:
    register = Register.COMMAND_VELOCITY
    scale = SCALES[register][resolution]
    with pytest.raises(EncodeError):
        codec.encode_values({register: -(TOPS[resolution] + 1.001) * scale}, {register: resolution})


@given(addresses, st.sampled_from([b"", codec.DEFAULT_QUERY]), st.sampled_from(Mode))
def test_a_frame_has_a_length_that_can_fd_has_and_says_whether_it_wants_a_reply(
    address: codec.Address, query: bytes, mode: Mode
) -> None:
    frame = codec.make_command(address, mode, {Register.COMMAND_TIMEOUT: 0.1}, query=query)
    assert len(frame.data) in FD_LENGTHS
    assert frame.is_fd
    assert frame.is_extended == (frame.arbitration_id > 0x7FF)
    assert frame.arbitration_id >> 15 & 1 == bool(query)
    assert codec.sender(frame, address.source, address.prefix) is None


def test_what_does_not_fit_one_frame_is_refused() -> None:
    values = dict.fromkeys(list(SCALES)[:16], 0.0)
    with pytest.raises(EncodeError, match="in one frame"):
        codec.make_command(MOTOR, Mode.POSITION, values)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", [(0,), (127,), (1, -1), (1, 128), (1, 0, -1), (1, 0, 0x2000)])
def test_an_address_that_does_not_fit_is_refused(address: tuple[int, ...]) -> None:
    with pytest.raises(EncodeError):
        codec.make_query(codec.Address(*address))


@given(st.integers(0, 0x1FFFFFFF), st.booleans(), st.integers(0, 5), st.integers(0, 3))
def test_only_answers_to_us_are_taken(identifier: int, is_fd: bool, source: int, prefix: int) -> None:
    found = codec.sender(Frame(identifier, b"", True, is_fd), source, prefix)
    if found is not None:
        assert is_fd
        assert identifier == prefix << 16 | found << 8 | source
        assert 1 <= found <= 126


def test_an_answer_to_us_is_taken_and_one_to_another_host_is_not() -> None:
    assert codec.sender(Frame(0x500, b"", False, True)) == 5
    assert codec.sender(Frame(0x20503, b"", True, True), 3, 2) == 5
    assert codec.sender(Frame(0x501, b"", False, True)) is None
    assert codec.sender(Frame(0x8005, b"", True, True)) is None
    assert codec.sender(Frame(0x500, b"")) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_a_reply_or_a_frame_error(data: bytes) -> None:
    try:
        reply = codec.decode_reply(data)
    except FrameError:
        return
    assert all(isinstance(value, int | float) for value in reply.values.values())


def test_a_reply_that_ends_too_early_gives_no_value_at_all() -> None:
    whole = bytes.fromhex("2404000a005000000170ff230d181400")
    assert codec.decode_reply(whole).values[Register.POSITION] == pytest.approx(0.008)
    for size in (3, 5, 9, 13):
        with pytest.raises(FrameError):
            codec.decode_reply(whole[:size])


def test_requests_are_no_values_and_refusals_are_kept() -> None:
    request = codec.make_command(MOTOR, Mode.POSITION, {Register.COMMAND_POSITION: 0.5}, query=codec.DEFAULT_QUERY)
    assert codec.decode_reply(request.data) == ({}, [])
    assert codec.decode_reply(bytes.fromhex("310402")).refusals == [Refusal(0x31, 4, 2)]


def test_a_register_of_whole_numbers_keeps_the_most_negative_one_and_refuses_a_fraction() -> None:
    serial = encode([Access(REPLY, Register.SERIAL_NUMBER_1, Resolution.INT32, -(1 << 31))])
    assert codec.decode_reply(serial).values == {Register.SERIAL_NUMBER_1: -(1 << 31)}
    for raw in (0.5, math.nan, math.inf):
        with pytest.raises(FrameError):
            codec.decode_reply(encode([Access(REPLY, Register.MODE, Resolution.F32, raw)]))


def test_a_value_that_is_asked_for_has_none() -> None:
    with pytest.raises(FrameError):
        codec.scaled(Access(READ, 1, Resolution.F32, None))


def test_limiters_are_no_faults() -> None:
    assert codec.fault_name(0) == ""
    assert all(codec.fault_name(code) == "" for code in LIMITERS)
    assert {codec.fault_name(code) for code in FAULTS} == set(FAULTS.values())
    assert codec.fault_name(60) == "FAULT_60"


def test_the_worked_example_of_the_vendors_protocol_description() -> None:
    registers = (Register.COMMAND_POSITION, Register.COMMAND_VELOCITY, Register.COMMAND_FEEDFORWARD_TORQUE)
    # Half a count more than its 0.0096, 0.072 and -1.76, which are a count less in binary once truncated.
    values = dict(zip(registers, (0.00965, 0.0721, -1.765), strict=True))
    query = codec.encode_query(
        [(Register(number), Resolution.INT16) for number in range(4)]
        + [(Register(number), Resolution.INT8) for number in (0xD, 0xE, 0xF)]
    )
    resolutions = dict.fromkeys(registers, Resolution.INT16)
    frame = codec.make_command(MOTOR, Mode.POSITION, values, resolutions, query)
    assert frame.data.hex() == "01000a07206000200150ff140400130d"


numbers = st.one_of(st.none(), st.floats(-30.0, 30.0, width=32))


@given(st.lists(numbers, min_size=4, max_size=4), st.lists(st.sampled_from(Resolution), min_size=4, max_size=4))
def test_the_vendors_library_makes_the_same_frames_and_reads_the_same_values(values: list, resolutions: list) -> None:
    vendor = pytest.importorskip("moteus.moteus", reason="the moteus library is not installed")
    names = ("position", "velocity", "feedforward_torque", "kp_scale")
    registers = [Register(0x020 + place) for place in range(4)]
    given_values = dict(zip(registers, values, strict=True))
    given_resolutions = dict(zip(registers, resolutions, strict=True))
    try:
        ours = codec.make_command(MOTOR, Mode.POSITION, given_values, given_resolutions, codec.DEFAULT_QUERY)
    except EncodeError:
        return
    controller = vendor.Controller(id=1, transport=SimpleNamespace())
    controller.position_resolution = SimpleNamespace(
        **{**vars(vendor.PositionResolution), **dict(zip(names, resolutions, strict=True))}
    )
    stated = {name: math.nan if value is None else value for name, value in zip(names, values, strict=True)}
    theirs = controller.make_position(**stated, query=True)
    assert ours.data[: len(theirs.data)] == bytes(theirs.data)
    assert ours.arbitration_id == 0x8001
    answer = encode([access._replace(command=REPLY) for access in parse(ours.data) if access.command == WRITE])
    parsed = vendor.parse_registers(answer).response
    assert codec.decode_reply(answer).values == pytest.approx({int(k): v for k, v in parsed.items()}, nan_ok=True)
