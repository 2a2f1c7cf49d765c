"""Stand-ins for what a desktop offers."""
