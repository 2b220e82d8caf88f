"""The Python face of the package: every function here is an attribute of `flatforce`.

`relax`, `phonons` and the others take the keys of the YAML files as keyword arguments, with the same names and defaults. They
compute in a result folder, the same one that the command line writes, and return an object that reads it.
"""
