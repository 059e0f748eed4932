"""What engines of OCI containers share: an `Engine` says its command and what is its own, the rest is here, a
module for each family of what an engine does. A driver is made of them (`driver.OciDriver`) and of its engine's
own.

Excludes: any engine's own commands and answers."""
