"""The command `quire`: `main.py` is the entry; a command's module is loaded when it is called."""
