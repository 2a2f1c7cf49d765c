"""Tests of watcher/jail/appcontainer."""
