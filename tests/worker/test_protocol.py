"""protocol.py: messages that are written are read back, and invalid ones are refused."""

import io
import struct

import pytest

from watcher.worker import protocol


def test_messages_are_read_in_the_order_in_which_they_were_written() -> None:
    stream = io.BytesIO()
    protocol.write_message(stream, {"id": 1}, b"picture")
    protocol.write_message(stream, {"id": 2, "name": "ü"}, memoryview(b""))
    stream.seek(0)
    assert protocol.read_message(stream) == ({"id": 1, "size": 7}, b"picture")
    assert protocol.read_message(stream) == ({"id": 2, "name": "ü", "size": 0}, b"")
    assert protocol.read_message(stream) is None


@pytest.mark.parametrize("length", range(1, 25))
def test_a_stream_that_ends_inside_a_message_is_an_error(length: int) -> None:
    stream = io.BytesIO()
    protocol.write_message(stream, {"id": 1}, b"data")
    whole = stream.getvalue()
    assert len(whole) > 24
    with pytest.raises(protocol.ProtocolError):
        protocol.read_message(io.BytesIO(whole[:length]))


@pytest.mark.parametrize(
    "header", [b"no json", b'{"id": 1}', b"[1]", b'{"size": -1}', b'{"size": "9"}', b'{"size": 1e99}']
)
def test_an_invalid_header_is_an_error(header: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.read_message(io.BytesIO(struct.pack(">I", len(header)) + header + b"x" * 100))


def test_a_giant_header_is_refused_before_it_is_read() -> None:
    with pytest.raises(protocol.ProtocolError, match="header of 4294967295"):
        protocol.read_message(io.BytesIO(b"\xff" * 100))


def test_a_request_may_have_a_long_header_and_an_answer_not() -> None:
    stream = io.BytesIO()
    protocol.write_message(stream, {"id": 1, "edits": "x" * (1 << 20)})
    stream.seek(0)
    message = protocol.read_message(stream)
    assert message is not None
    assert len(message[0]["edits"]) == 1 << 20
    stream.seek(0)
    with pytest.raises(protocol.ProtocolError, match="a header of"):
        protocol.read_message(stream, max_header=protocol.MAX_ANSWER_HEADER_BYTES)
