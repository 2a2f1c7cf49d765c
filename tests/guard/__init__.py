"""Tests of watcher/guard."""
