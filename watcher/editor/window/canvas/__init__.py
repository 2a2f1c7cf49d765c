"""The picture in the window: its visible tiles, how they are drawn, and pointer and keys on them."""
