"""Tests that drive real desktops and file managers."""
