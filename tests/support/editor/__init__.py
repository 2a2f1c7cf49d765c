"""A stand-in for the host of "Touch up": it paints tiles, notes what the window asks, and answers as the real one."""
