"""The `nobg` command: takes arguments, prints results and returns an exit code.

No other wing imports this one. `main` imports a command's module only when that command runs.
"""
