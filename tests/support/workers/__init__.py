"""Worker processes that stand in for the real one."""
