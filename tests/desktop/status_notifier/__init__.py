"""Tests of watcher/desktop/status_notifier: a real bus, and a stand-in for the panel that shows icons."""
