"""The floor everything stands on: records, log, lake, place, time, units, events, jobs, registry, ports."""
