"""Lines of the serial-line CAN protocol: encoding, and a stream parser that finds its way back after damage.

The protocol has no checksum. What protects is the exact form of a line: a line that is one character too long, too
short or not hexadecimal is thrown away whole.

Source: see `tables`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.slcan.tables import (
    BITRATES_BPS,
    CLOSE,
    DATA_BITRATES_BPS,
    LENGTHS,
    LINE_END,
    LISTEN,
    MAXIMUM_LINE_BYTES,
    OPEN,
    REFUSED,
    STATUS_FLAGS,
    TIMESTAMP_DIGITS,
)
from supervisor.core.errors import EncodeError, FrameError


class _Letter(NamedTuple):
    is_extended: bool
    is_remote: bool
    is_fd: bool
    bitrate_switch: bool


_LETTERS: Final = {
    ord("t"): _Letter(False, False, False, False),
    ord("T"): _Letter(True, False, False, False),
    ord("r"): _Letter(False, True, False, False),
    ord("R"): _Letter(True, True, False, False),
    ord("d"): _Letter(False, False, True, False),
    ord("D"): _Letter(True, False, True, False),
    ord("b"): _Letter(False, False, True, True),
    ord("B"): _Letter(True, False, True, True),
}
_LETTER_OF: Final = {letter: chr(code) for code, letter in _LETTERS.items()}
_ENDS: Final = re.compile(b"([" + LINE_END + REFUSED + b"])")
_HEX_DIGITS: Final = b"0123456789ABCDEFabcdef"
_SENT: Final = (b"z", b"Z")
_REPLIES: Final = b"VvNF"


class SlcanFrame(NamedTuple):
    """One frame as a line carries it.

    Attributes:
        arbitration_id: 11 bits, or 29 where `is_extended`.
        data: Empty for a remote frame.
        length: Data bytes that the DLC stands for; those asked for by a remote frame.
        is_extended, is_remote, is_fd, bitrate_switch: The kind of frame.
        timestamp_ms: The adapter's clock, 0 to 59 999, where it sends one. It wraps every minute.
    """

    arbitration_id: int
    data: bytes
    length: int
    is_extended: bool = False
    is_remote: bool = False
    is_fd: bool = False
    bitrate_switch: bool = False
    timestamp_ms: int | None = None


def encode_frame(frame: Frame, *, bitrate_switch: bool = False) -> bytes:
    """The line that makes an adapter send a frame.

    Args:
        frame: What to send.
        bitrate_switch: Whether the data of an FD frame goes at the data bit rate.

    Raises:
        EncodeError: The identifier or the number of data bytes is not possible for this kind of frame.
    """
    if bitrate_switch and not frame.is_fd:
        raise EncodeError("only a CAN FD frame can switch its bit rate")
    size = len(frame.data)
    if size not in LENGTHS or (size > 8 and not frame.is_fd):
        allowed = "0 to 8, 12, 16, 20, 24, 32, 48 or 64" if frame.is_fd else "0 to 8"
        raise EncodeError(f"{size} data bytes; allowed: {allowed}")
    letter = _LETTER_OF[_Letter(frame.is_extended, False, frame.is_fd, bitrate_switch)]
    head = f"{letter}{_identifier(frame.arbitration_id, frame.is_extended)}{LENGTHS.index(size):X}"
    return f"{head}{frame.data.hex().upper()}\r".encode("ascii")


def encode_remote(arbitration_id: int, length: int, *, is_extended: bool = False) -> bytes:
    """The line that makes an adapter ask for a frame of `length` bytes.

    Raises:
        EncodeError: The identifier or the length is not possible.
    """
    if not 0 <= length <= 8:
        raise EncodeError(f"a remote frame asks for {length} bytes; allowed: 0 to 8")
    letter = _LETTER_OF[_Letter(is_extended, True, False, False)]
    return f"{letter}{_identifier(arbitration_id, is_extended)}{length}\r".encode("ascii")


def encode_open(*, listen_only: bool = False) -> bytes:
    """The line that opens the adapter's CAN side; listening only, it acknowledges nothing and sends nothing."""
    return LISTEN if listen_only else OPEN


def encode_set_bitrate(bitrate_bps: int, data_bitrate_bps: int | None = None) -> bytes:
    """The lines that set the bit rate. Adapters take it only while closed, so they are closed and opened.

    Args:
        bitrate_bps: Of classic frames, and of the first part of FD frames.
        data_bitrate_bps: Of the data of FD frames with a bit-rate switch, where the adapter knows CAN FD.

    Raises:
        EncodeError: The adapter has no letter for that rate.
    """
    if bitrate_bps not in BITRATES_BPS:
        raise EncodeError(f"bit rate {bitrate_bps} bit/s; allowed: {', '.join(map(str, sorted(BITRATES_BPS)))}")
    # The empty line where there is no data rate is what python-can sends, so what adapters are used to.
    data_rate = LINE_END
    if data_bitrate_bps is not None:
        if data_bitrate_bps not in DATA_BITRATES_BPS:
            allowed = ", ".join(map(str, sorted(DATA_BITRATES_BPS)))
            raise EncodeError(f"data bit rate {data_bitrate_bps} bit/s; allowed: {allowed}")
        data_rate = DATA_BITRATES_BPS[data_bitrate_bps]
    return CLOSE + BITRATES_BPS[bitrate_bps] + data_rate + OPEN


def decode_line(line: bytes) -> SlcanFrame:
    """Decode one line that carries a frame.

    Args:
        line: Without its end.

    Raises:
        FrameError: Any other line, and a damaged one.
    """
    letter = _LETTERS.get(line[0]) if line else None
    if letter is None:
        raise FrameError(f"{line[:1]!r} begins no frame")
    digits = line[1:]
    # int() and fromhex() would take signs, underscores and blanks.
    if digits.strip(_HEX_DIGITS):
        raise FrameError(f"line {line!r} is not hexadecimal")
    id_digits = 8 if letter.is_extended else 3
    if len(digits) <= id_digits:
        raise FrameError(f"line {line!r} ends before its DLC")
    arbitration_id = int(digits[:id_digits], 16)
    if arbitration_id > (0x1FFFFFFF if letter.is_extended else 0x7FF):
        raise FrameError(f"identifier 0x{arbitration_id:X} has too many bits")
    code = int(digits[id_digits : id_digits + 1], 16)
    if code > 8 and not letter.is_fd:
        raise FrameError(f"DLC {code} in a classic frame")
    length = LENGTHS[code]
    rest = digits[id_digits + 1 :]
    data_digits = 0 if letter.is_remote else 2 * length
    if len(rest) not in (data_digits, data_digits + TIMESTAMP_DIGITS):
        raise FrameError(f"{len(rest)} digits of data where DLC {code} has {data_digits}")
    stamp = rest[data_digits:]
    data = bytes.fromhex(rest[:data_digits].decode("ascii"))
    return SlcanFrame(arbitration_id, data, length, *letter, int(stamp, 16) if stamp else None)


def decode_status(line: bytes) -> tuple[str, ...]:
    """Names of the flags in the reply to READ_STATUS; empty when all is well.

    Raises:
        FrameError: Not such a reply.
    """
    if len(line) != 3 or line[:1] != b"F" or line[1:].strip(_HEX_DIGITS):
        raise FrameError(f"{line!r} is no status")
    flags = int(line[1:], 16)
    return tuple(name for bit, name in STATUS_FLAGS.items() if flags >> bit & 1)


@dataclass(slots=True)
class LineParser:
    """Finds frames in what an adapter sends. Never raises; keeps less than one line of unfinished bytes.

    Attributes:
        frames: Lines with a frame.
        acknowledged: "Done" lines: empty ones, and those after a transmission.
        refused: What the adapter refused to do, such as sending with a full queue.
        reply: The newest line that answers a question (version, serial number, status); empty before the first.
        bad_lines: Lines thrown away because they have not the form of a frame.
        oversize_lines: Lines thrown away because no line is that long.
        dropped_bytes: Bytes of these lines.
    """

    frames: int = 0
    acknowledged: int = 0
    refused: int = 0
    reply: bytes = b""
    bad_lines: int = 0
    oversize_lines: int = 0
    dropped_bytes: int = 0
    _rest: bytes = b""
    _is_skipping: bool = False

    def feed(self, data: bytes) -> list[SlcanFrame]:
        """Take bytes as they arrive.

        Returns:
            The frames completed by them, oldest first.
        """
        found: list[SlcanFrame] = []
        *parts, rest = _ENDS.split(self._rest + data)
        for line, end in zip(parts[::2], parts[1::2], strict=True):
            self._take(line, end, found)
        if len(rest) > MAXIMUM_LINE_BYTES or self._is_skipping:
            self.oversize_lines += not self._is_skipping
            self.dropped_bytes += len(rest)
            self._is_skipping = True
            rest = b""
        self._rest = rest
        return found

    def _take(self, line: bytes, end: bytes, found: list[SlcanFrame]) -> None:
        """Take one whole line."""
        is_refusal = end == REFUSED
        self.refused += is_refusal
        if self._is_skipping or len(line) > MAXIMUM_LINE_BYTES:
            self.oversize_lines += not self._is_skipping
            self._is_skipping = False
            self.dropped_bytes += len(line)
        elif is_refusal:
            self.bad_lines += bool(line)
            self.dropped_bytes += len(line)
        elif not line or line in _SENT:
            self.acknowledged += 1
        elif line[0] in _REPLIES:
            self.reply = line
        else:
            try:
                found.append(decode_line(line))
                self.frames += 1
            except FrameError:
                self.bad_lines += 1
                self.dropped_bytes += len(line)


def _identifier(arbitration_id: int, is_extended: bool) -> str:
    bits, digits = (29, 8) if is_extended else (11, 3)
    if not 0 <= arbitration_id < 1 << bits:
        raise EncodeError(f"identifier {arbitration_id} does not fit {bits} bits")
    return f"{arbitration_id:0{digits}X}"
