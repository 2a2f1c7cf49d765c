"""Tests of watcher/queue/touchup."""
