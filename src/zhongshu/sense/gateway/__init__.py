"""Field intake: sockets, brokers and HTTP to the log of this machine; nothing is acknowledged before its commit."""
