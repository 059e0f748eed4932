# note.sh HOME: remember that a tree ran before it was set aside.
: > "$1/ran"
