"""File managers and the start at login of Linux desktops."""
