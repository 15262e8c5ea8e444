"""The command line: a module a verb, with `add_arguments(parser)` and `run(args)`; what verbs, or local/*.py, share."""
