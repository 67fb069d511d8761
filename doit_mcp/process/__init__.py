"""The operating-system process: workers, signals, file descriptors, memory, threads and asyncio tasks."""
