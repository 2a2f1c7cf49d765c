"""Touch up: a person says what to keep. A host relays between the jailed worker and a window that decodes nothing.

`nobg edit` starts the host in a process of its own, and the host starts `watcher.editor.window`. They speak through
pipes, in the messages of `worker/protocol.py`. Every text that people see is in `strings.py`.
"""
