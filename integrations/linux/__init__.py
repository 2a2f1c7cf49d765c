"""The file managers and the autostart of Linux desktops."""
