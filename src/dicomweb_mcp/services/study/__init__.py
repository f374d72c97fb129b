"""What is in a study, and what belongs together in it: its series, their roles, and what they refer to."""
