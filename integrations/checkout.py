"""`python checkout.py add|run ARGUMENTS…`: nobg where its commands are not installed, from the folder it lies in."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> int:
    """Like nobg-add and nobg; PYTHONPATH, so that the programs they start find themselves, too."""
    sys.path.insert(0, ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    import importlib

    command, *arguments = sys.argv[1:]
    if command == "add":
        return int(importlib.import_module("watcher.enqueue").main(arguments))
    return int(importlib.import_module("watcher.cli.main").main([command, *arguments]))


if __name__ == "__main__":
    sys.exit(main())
