"""Looking into checkpoints without restoring or extracting them. Archives are hostile input: they are parsed as a
stream, nothing is written, and memory pages are passed over."""
