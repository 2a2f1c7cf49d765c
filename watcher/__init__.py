"""nobg removes the background of pictures on the machine they are on.

ARCHITECTURE.md tells how the modules fit together.
"""

import os

# The onnxruntime wheels carry an uploader that nothing but this variable, set before the import, keeps quiet.
# Every module of ours is imported after this line.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = ["remove_background"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from watcher.api import remove_background


def __getattr__(name: str) -> object:
    """`remove_background`, whose imports the right-click client must not wait for."""
    if name == "remove_background":
        from watcher.api import remove_background

        return remove_background
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
