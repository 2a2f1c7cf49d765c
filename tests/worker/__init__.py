"""Tests of watcher/worker."""
