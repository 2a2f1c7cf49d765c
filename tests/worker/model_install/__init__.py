"""Tests of watcher.worker.model_install."""
