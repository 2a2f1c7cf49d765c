"""Tiny ONNX models, encoded here according to the ONNX project's onnx.proto3, since the tests lack the onnx package.

A network is a chain of operators from `input` (1, 3, side, side) to its first output, `alpha`. The second output stands
for the side outputs of real networks, which nobg ignores.
"""

from __future__ import annotations

from watcher.matting import models

FLOAT, FLOAT16 = 1, 10


def unknown_model() -> bytes:
    """Return a shipped model in other bytes: with an additional, empty entry in ModelProto.metadata_props."""
    return models.read(models.SHIPPED[0]) + _part(14, b"")


def network(*operators: str, side: int | str, dtype: int = FLOAT, channels: int = 1) -> bytes:
    """Return the bytes of a model. `side`: a number, or the name of an open dimension. `operators`: see `_node`."""
    names = [f"t{number}" for number in range(len(operators))] + ["alpha"]
    nodes = [_node("Cast", "input", "t0")]  # to float32, whatever `dtype` is
    nodes += [_node(operator, names[n], names[n + 1]) for n, operator in enumerate(operators)]
    nodes.append(_node("Neg", "alpha", "other"))
    graph = b"".join(_part(1, node) for node in nodes) + _part(2, b"tiny")
    graph += _part(11, _tensor("input", dtype, side, 3))
    graph += _part(12, _tensor("alpha", FLOAT, side, channels)) + _part(12, _tensor("other", FLOAT, side, channels))
    return _number(1, 8) + _part(7, graph) + _part(8, _number(2, 13))  # IR version 8, operator set 13


def _node(operator: str, source: str, target: str) -> bytes:
    """Return a NodeProto. `Zero` is source - source; other operators are ONNX's. ReduceMean is over the channels."""
    inputs = [source, source] if operator == "Zero" else [source]
    node = b"".join(_part(1, name.encode()) for name in inputs) + _part(2, target.encode())
    node += _part(4, {"Zero": "Sub"}.get(operator, operator).encode())
    if operator == "Cast":
        node += _part(5, _part(1, b"to") + _number(3, FLOAT) + _number(20, 2))
    if operator == "ReduceMean":
        node += _part(5, _part(1, b"axes") + _number(8, 1) + _number(20, 7))
    return node


def _tensor(name: str, dtype: int, side: int | str, channels: int) -> bytes:
    dimensions = [_number(1, 1), _number(1, channels), *[_dimension(side)] * 2]
    shape = b"".join(_part(1, dimension) for dimension in dimensions)
    return _part(1, name.encode()) + _part(2, _part(1, _number(1, dtype) + _part(2, shape)))


def _dimension(side: int | str) -> bytes:
    return _number(1, side) if isinstance(side, int) else _part(2, side.encode())


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)
