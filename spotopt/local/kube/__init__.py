"""A small Kubernetes API server for demo and tests: as strict as a recorded one, as far as cordon and drain go."""
