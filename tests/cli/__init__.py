"""Tests of watcher/cli."""
