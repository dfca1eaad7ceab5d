"""What the process takes of the machine."""

from genstage.monitoring.memory import MemoryMonitor, memory_bytes

__all__ = ["MemoryMonitor", "memory_bytes"]
