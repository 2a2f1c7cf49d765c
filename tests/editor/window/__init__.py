"""Tests of watcher/editor/window."""
