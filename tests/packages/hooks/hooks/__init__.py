"""Hook implementations of the project `plughost`, in a module and in a class."""
