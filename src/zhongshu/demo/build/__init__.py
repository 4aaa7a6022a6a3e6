"""Making a demonstration: the synthetic city as records, its past in the lake, a plan for the simulators."""
