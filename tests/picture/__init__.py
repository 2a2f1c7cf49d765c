"""Tests of watcher/picture."""
