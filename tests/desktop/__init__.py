"""Real file managers on a desktop of the tests' own. session.py: the desktop; driver.py: a person's hand and eye."""
