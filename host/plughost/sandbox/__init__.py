"""Policy → what a child is started with, so that the kernel keeps it, and who watches what the kernel doesn't.

Above it: the workers and the host; below it: policies. What is applied inside the child is the runner's `_confine`.
"""
