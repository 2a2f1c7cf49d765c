"""What a person sees on the desktop: the tray icon and its menu, notifications, and windows of the system's shell.

Nothing of this wing is loaded unless the resident program has a desktop to show itself on. `cli` may import this wing
(to start it); it imports `program` and what is below that.
"""
