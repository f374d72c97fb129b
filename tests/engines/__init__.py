"""Real servers behind the tests."""
