"""What a plugin may do to its host: one module for each channel it may do it through."""
