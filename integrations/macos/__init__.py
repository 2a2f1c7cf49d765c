"""Finder and the start at login of macOS."""
