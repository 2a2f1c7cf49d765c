"""Tests of watcher/editor."""
