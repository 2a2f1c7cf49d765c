"""Tests of watcher/desktop."""
