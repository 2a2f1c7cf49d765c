"""Tests of watcher/matting/networks."""
