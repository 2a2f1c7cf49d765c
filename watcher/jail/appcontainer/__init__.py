"""Windows' AppContainer: starts a process that reaches no network, and no file but those that it was given.

The parent's side, since a process cannot enter an AppContainer later. `start` does it all; `profile` makes the
container, `access` gives it the folders of the program, `process` starts it, and `library` has Windows' functions.
Not verified on Windows: written from Microsoft's documentation, run under wine as far as wine has it, and tested
against stand-ins for Windows' libraries. `watcher.jail.windows` has what the process itself does.
"""
