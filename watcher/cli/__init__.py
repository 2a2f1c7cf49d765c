"""The `nobg` command: arguments in, words and exit code out.

Nothing imports this wing but `watcher.__main__`. Each command's module is imported when that command runs.
"""
