"""The window of "Touch up" and of the list of pictures that want a look: `python -m watcher.editor.window`.

It shows pixels that the host sends, and sends back what the person does. It opens no file, decodes no picture and has
no network. `window` puts the parts together; `canvas` shows the picture; `tools` is what the tools do, without Qt.
"""
