"""HiPNUC inertial units on a serial line: `drivers.imu.hipnuc` against vectors."""

from __future__ import annotations

from drivers.imu.hipnuc import codec as hipnuc
from drivers.imu.hipnuc.tables import TAG_HI81, TAG_HI83, TAG_HI91
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close, tolerance_of


def hipnuc_values(packet: hipnuc.Packet) -> dict[str, object]:
    """One packet under the vectors' names."""
    if isinstance(packet, hipnuc.Hi91):
        found: dict[str, object] = dict(
            zip(("roll_deg", "pitch_deg", "yaw_deg"), packet.rpy_deg, strict=True), tag=TAG_HI91
        )
        found |= {"main_status": packet.main_status, "temp_c": packet.temperature_degc, "time_ms": packet.time_ms}
        found |= {"pressure_pa": packet.pressure_pa, "acc_g": packet.acc_g, "gyr_dps": packet.gyro_deg_per_s}
        return found | {"mag_ut": packet.mag_ut, "quat_wxyz": packet.quat_wxyz}
    if isinstance(packet, hipnuc.Hi81):
        found = {"tag": TAG_HI81, "main_status": packet.main_status, "ins_status": packet.ins_status}
        found |= {"gyr_rad_s": packet.gyro_rad_per_s, "acc_m_s2": packet.acc_m_per_s2, "mag_ut": packet.mag_ut}
        return found | {"quat_wxyz": packet.quat_wxyz, "rpy_deg": packet.rpy_deg, "temp_c": packet.temperature_degc}
    aliases = {
        "acc_m_per_s2": "acc_raw",
        "gyro_rad_per_s": "gyr_raw",
        "temperature_degc": "temp_c",
        "mag_ut": "mag_raw",
    }
    found = {"tag": TAG_HI83, "main_status": packet.main_status, "ins_status": packet.ins_status}
    found["bitmap"] = packet.bitmap
    for name, values in packet.fields.items():
        value = values[0] if len(values) == 1 else values
        found[name] = value
        found[aliases.get(name, name)] = value
    return found


def check(case: Case) -> None:
    """Every case is bytes in, packets out, whatever it is called."""
    if case["direction"] != "decode" or "bytes" not in case or "packets" not in case.get("expect", {}):
        raise UnknownOperationError(case["op"])
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = hipnuc.FrameParser(), hipnuc.FrameParser()
    payloads = at_once.feed(data)
    assert [payload for byte in data for payload in by_byte.feed(bytes((byte,)))] == payloads
    packets = [packet for payload in payloads for packet in hipnuc.decode_packets(payload)]
    wanted = case["expect"]["packets"]
    assert len(packets) == len(wanted)
    for packet, expected in zip(packets, wanted, strict=True):
        found = hipnuc_values(packet)
        for key, value in expected.items():
            assert_close(found[key], value, tolerance_of(case, key), key)
