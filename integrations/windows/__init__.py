"""Explorer, the registry and the autostart of Windows."""
