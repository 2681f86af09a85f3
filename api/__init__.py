"""The front door: HTTP and the command line. Decodes, calls one use case, encodes."""
