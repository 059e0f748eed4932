# files.sh PATH...: the SHA-256 of each file; nothing for one that is not there.
for path; do printf '\n@@ file %s\n%s\n' "$path" "$(sha256sum -- "$path" 2>/dev/null </dev/null | cut -d ' ' -f 1)"; done
printf '\n@@ end\n'
