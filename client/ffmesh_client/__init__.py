"""The client: the command line, and the async API under it. It keeps nothing, and decides only where it waits."""
