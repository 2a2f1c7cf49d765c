"""Tests of watcher/matting."""
