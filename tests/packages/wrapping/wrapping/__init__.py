"""What pluggy allows of a plugin, to be run in process and in a child alike."""


def hookimpl(function=None, **options):
    """The mark of the project `app`, which is an attribute: there is no need of pluggy for it."""

    def mark(function):
        function.app_impl = options
        return function

    return mark(function) if function else mark
