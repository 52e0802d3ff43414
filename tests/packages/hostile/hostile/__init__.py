"""What a plugin may do to its own interpreter, its process and its values: one module for each."""
