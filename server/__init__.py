"""Media, signalling, sessions and the command line: everything that touches a socket, a file or a clock."""
