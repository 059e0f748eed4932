"""What runtimes share whose containers an OCI runtime makes: whether what runs is what spec and OCI config say.

Excludes: any engine's own commands and answers."""
