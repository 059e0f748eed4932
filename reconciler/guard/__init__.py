"""What a host itself decides and keeps of a workload: markers, holds, dossiers, leases, actions."""
