"""The operating-system process: workers, signals, file descriptors, memory and threads."""
