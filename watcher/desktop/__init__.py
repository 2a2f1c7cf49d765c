"""What a person sees on the desktop: the tray icon and its menu, notifications, and windows of the system's shell.

No module of this wing is loaded unless the resident program runs on a desktop. `cli` may import this wing
(to start it); it imports `program` and what is below that.
"""
