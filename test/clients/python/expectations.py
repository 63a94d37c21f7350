"""What the checks of OpenAI's Python package and of its kin expect of the gateway."""

import base64
import struct


def expect_png(data, size="1024x1024"):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:20]
    width, height = struct.unpack(">II", data[16:24])
    assert f"{width}x{height}" == size, (width, height)


def expect_base64(text, size="1024x1024"):
    expect_png(base64.b64decode(text), size)


def expect_failure(kind, status, code, call, param=None):
    try:
        call()
    except kind as error:
        found = (error.status_code, error.code, error.param)
        assert found == (status, code, param), found
        return
    raise AssertionError("the call succeeded")
