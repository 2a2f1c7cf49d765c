"""Tests of watcher.settings."""
