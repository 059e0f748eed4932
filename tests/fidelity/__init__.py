"""Does a move change a workload? All that can be read of one, before and after; each difference has its reason."""
