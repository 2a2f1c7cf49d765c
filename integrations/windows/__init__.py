"""Explorer and the start at login of Windows."""
