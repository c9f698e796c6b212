"""What people see. On a terminal rich draws it; in a pipe it is plain text whose columns stay where they are."""
