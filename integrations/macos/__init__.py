"""Finder's Quick Actions and the LaunchAgent of macOS."""
