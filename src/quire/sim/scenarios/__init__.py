"""Stories that a world goes through, each with an end that it must reach."""
