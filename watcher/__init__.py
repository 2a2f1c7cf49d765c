"""nobg removes the background of pictures on the machine they are on.

ARCHITECTURE.md says how the modules fit together.
"""

import os

# The onnxruntime wheels contain an uploader. Only this variable switches it off, and only if it is set before
# onnxruntime is imported. Every other module of nobg is imported after this line.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = ["remove_background"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from watcher.api import remove_background


def __getattr__(name: str) -> object:
    """Import `remove_background` on first use: its imports would slow down the right-click client."""
    if name == "remove_background":
        from watcher.api import remove_background

        return remove_background
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
