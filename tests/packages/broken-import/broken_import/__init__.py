"""A plugin that can't be imported."""

import a_module_that_nobody_has

run = a_module_that_nobody_has.run
