"""Files kept as sealed replicas: put_file, get_file, audits, renewal, repair."""
