"""Where checkpoints are kept: commands for the host of a store, and its answers. No I/O."""
