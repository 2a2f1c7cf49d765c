"""`python checkout.py add|run ARGUMENTS…`: run nobg from a checkout, where its commands are not installed.

Menus that nobg installed from a checkout contain the absolute path of this file.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> int:
    """Run `nobg-add` or `nobg`. PYTHONPATH is set so that the programs they start find the checkout, too."""
    sys.path.insert(0, ROOT)
    import importlib

    importlib.import_module("watcher.paths").leave_pythonpath()
    os.environ.setdefault("PYTHONPATH", ROOT)
    command, *arguments = sys.argv[1:]
    if command == "add":
        return int(importlib.import_module("watcher.enqueue").main(arguments))
    return int(importlib.import_module("watcher.cli.main").main([command, *arguments]))


if __name__ == "__main__":
    sys.exit(main())
