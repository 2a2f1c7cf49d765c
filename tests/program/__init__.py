"""Tests of watcher/program."""
