"""Tests of watcher/queue."""
