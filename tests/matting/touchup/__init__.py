"""Tests of watcher/matting/touchup."""
