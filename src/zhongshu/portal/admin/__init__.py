"""The administrator's view: processes, connections, refused input, jobs, deliveries, the trail."""
