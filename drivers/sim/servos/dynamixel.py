"""Simulated Dynamixel servos on one line: protocol 2.0 packets in, status packets out.

Built on the driver's own parser and packets; that both are right is shown by the vendor's library, which talks to these
servos in the tests.

Answers come at once: return delays and the time of the bytes on the line are not simulated here. What is said in one
go is on the line at once, though, and nothing may be said after what is answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.codec import Packet, PacketParser
from drivers.serial.dynamixel.crc import crc16
from drivers.sim.servos.dynamixel_servo import DynamixelServo, word
from supervisor.core.errors import SimulationError

_TORN_BYTES: Final = 5
"""What is left of an answer that somebody talked into."""


class DynamixelBus:
    """A line with servos on it.

    Args:
        servos: In any order. Two with one id answer over each other.
        baud: Rate of the line, 1/s. Servos that listen at another rate understand nothing.

    Attributes:
        servos: As given; to unplug one, give a list without it.
        parser: What the servos hear, with its counters.

    Raises:
        SimulationError: No such baud rate.
    """

    def __init__(self, servos: Iterable[DynamixelServo], baud: int = 57_600) -> None:
        if baud not in t.BAUD_CODES:
            raise SimulationError(f"no Dynamixel line at {baud} baud, allowed: {sorted(t.BAUD_CODES)}")
        self.servos: Sequence[DynamixelServo] = list(servos)
        self.baud = baud
        self.parser = PacketParser()

    def hear(self, data: bytes, now_s: float) -> bytes:
        """Put the host's bytes on the line.

        Returns:
            What the servos answer.
        """
        packets = [packet for packet in self.parser.feed(data) if packet.instruction != t.STATUS]
        listening = [servo for servo in self.servos if servo.baud_code == t.BAUD_CODES[self.baud]]
        answer = b""
        for packet in packets:
            if answer:
                # One line for both directions: whoever talks on destroys the answer, and is not understood.
                answer = answer[:_TORN_BYTES]
                break
            for servo in listening:
                servo.advance_to(now_s, is_heard=True)
            answer = self._carry_out(packet, listening)
        self.advance_to(now_s)
        return answer

    def advance_to(self, now_s: float) -> None:
        """Move all servos on in time, with nobody talking."""
        for servo in self.servos:
            servo.advance_to(now_s)

    def _carry_out(self, packet: Packet, listening: Sequence[DynamixelServo]) -> bytes:
        params = packet.params
        if packet.instruction in (t.SYNC_READ, t.FAST_SYNC_READ):
            place = params[:4]
            return self._read_many([(servo_id, place) for servo_id in params[4:]], packet.instruction, listening)
        if packet.instruction in (t.BULK_READ, t.FAST_BULK_READ):
            asked = [(params[at], params[at + 1 : at + 5]) for at in range(0, len(params) - 4, 5)]
            return self._read_many(asked, packet.instruction, listening)
        if packet.instruction == t.SYNC_WRITE:
            size = word(params, 2)
            for at in range(4, len(params) - size, size + 1):
                _write_all(listening, params[at], params[:2], params[at + 1 : at + 1 + size])
            return b""
        if packet.instruction == t.BULK_WRITE:
            at = 0
            while at + 5 <= len(params):
                size = word(params, at + 3)
                _write_all(listening, params[at], params[at + 1 : at + 3], params[at + 5 : at + 5 + size])
                at += 5 + size
            return b""
        if packet.id == t.BROADCAST_ID:
            # To a ping for all, they answer in the order of their ids.
            ids = sorted({servo.servo_id for servo in listening})
            groups = [[servo for servo in listening if servo.servo_id == servo_id] for servo_id in ids]
            return b"".join(_collide([servo.answer(packet) for servo in group]) for group in groups)
        return _collide([servo.answer(packet) for servo in listening if servo.servo_id == packet.id])

    def _read_many(
        self, asked: Sequence[tuple[int, bytes]], instruction: int, listening: Sequence[DynamixelServo]
    ) -> bytes:
        """The answers to a read of many: a packet each, or all together in one."""
        if instruction in (t.FAST_SYNC_READ, t.FAST_BULK_READ):
            return _read_together(asked, listening)
        answers: list[bytes] = []
        for servo_id, place in asked:
            group = [servo for servo in listening if servo.servo_id == servo_id]
            answers.append(_collide([servo.answer(Packet(servo_id, t.READ, place)) for servo in group]))
        return b"".join(answers)


def _read_together(asked: Sequence[tuple[int, bytes]], listening: Sequence[DynamixelServo]) -> bytes:
    """One packet of many servos. Each waits for the one before it, so that it ends where a servo is missing."""
    length = 1 + sum(word(place, 2) + 4 for _, place in asked)
    if length > t.MAXIMUM_PACKET_BYTES - t.HEAD_BYTES:
        return b""
    packet = t.HEADER + bytes((t.BROADCAST_ID,)) + length.to_bytes(2, "little") + bytes((t.STATUS,))
    by_id = {servo.servo_id: servo for servo in listening}
    for index, (servo_id, place) in enumerate(asked):
        servo = by_id.get(servo_id)
        if servo is None:
            return packet if index else b""
        code, data = servo.table.read(word(place, 0), word(place, 2))
        packet += bytes((code | servo.alert, servo_id)) + data.ljust(word(place, 2), b"\0")
        packet += crc16(packet).to_bytes(2, "little")
    return packet


def _write_all(listening: Sequence[DynamixelServo], servo_id: int, place: bytes, data: bytes) -> None:
    """What a sync or bulk write does to one servo: a refusal is silent."""
    for servo in listening:
        if servo.servo_id == servo_id:
            servo.write(word(place, 0), data)


def _collide(answers: Sequence[bytes]) -> bytes:
    """What arrives when some servos answer at once: a line is low where any of them pulls it low."""
    if len(answers) <= 1:
        return answers[0] if answers else b""
    size = max(len(answer) for answer in answers)
    line = (1 << 8 * size) - 1
    for answer in answers:
        line &= int.from_bytes(answer.ljust(size, b"\xff"), "big")
    return line.to_bytes(size, "big")
