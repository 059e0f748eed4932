"""Composition, and what each command does; printing is `cli`'s."""
