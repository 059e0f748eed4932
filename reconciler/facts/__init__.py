"""What a host is, whatever runtimes are on it: programs, kernel, CPU, memory, disk, clock and markers."""
