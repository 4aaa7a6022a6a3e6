"""Reading what was measured: latest values, series, roll-ups, alarms."""
