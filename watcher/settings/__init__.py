"""config.toml: what a person has set, read into values, with errors that name the file, the line and the key."""
