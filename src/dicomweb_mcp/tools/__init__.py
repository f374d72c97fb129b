"""What a model can call: thin, typed, documented for a model."""
