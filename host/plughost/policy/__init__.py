"""What a plugin may use: the record, its presets, and how several are made one."""

from plughost.policy._policy import DEFAULT, PRESETS, STRICT, TRUSTED, Policy

__all__ = ["DEFAULT", "PRESETS", "STRICT", "TRUSTED", "Policy"]
