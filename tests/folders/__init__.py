"""Tests of watcher/folders."""
