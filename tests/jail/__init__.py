"""Tests of watcher/jail."""
