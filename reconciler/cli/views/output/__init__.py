"""What `--json` prints: a model for each command, from which schemas/output and docs/json.md are made.

`base` has what all share; the other modules have the models and make them from what commands found. Nothing else
in the program writes JSON to stdout. `documents` lists them.
"""
