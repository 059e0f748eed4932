"""Pure decisions: what differs, what to do, in which order, and what to do next. No I/O, no clock."""
