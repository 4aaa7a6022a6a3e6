"""The checksum of HJ 212 (HJ 212-2017, annex A)."""

from __future__ import annotations


def _build_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _build_table()


def compute_crc(data: bytes) -> int:
    """Checksum of a data segment (from `QN=` to the closing `&&`), 0…65535.

    Register 0xFFFF; for each byte the register's *high* byte alone is kept, XORed with the byte and shifted eight times
    with 0xA001. This is not the Modbus checksum, though the polynomial is the same.

    >>> segment = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
    >>> f"{compute_crc(segment + b'CP=&&RtdInterval=30&&'):04X}"
    '1C80'
    """
    register = 0xFFFF
    table = _TABLE
    for byte in data:
        register = table[(register >> 8) ^ byte]
    return register
