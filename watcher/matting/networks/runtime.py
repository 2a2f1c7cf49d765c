"""Whether onnxruntime, which runs the networks, is installed, in words. Does not import it."""

from __future__ import annotations

import importlib.util
import platform
import sys


def why_missing() -> str:
    """Return the sentences that say that onnxruntime is not installed, and what to do; "" if it is installed."""
    if importlib.util.find_spec("onnxruntime") is not None:
        return ""
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        return (
            "The package onnxruntime is not installed, and its makers publish none for this system's C library (musl, "
            "as in Alpine Linux). Use nobg on a system with glibc, such as Debian, Ubuntu or Fedora, or in a container "
            "of one."
        )
    return "The package onnxruntime is not installed. Install nobg again."
