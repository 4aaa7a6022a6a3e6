"""Settings, addresses, servers, command line: assembles, holds no logic."""
