"""Stand-ins, fixtures and drivers that tests share."""
