"""The papers behind the methods of a result: one file of references, and which result used which."""
