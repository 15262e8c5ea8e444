"""The command line: one module a verb, with `add_arguments(parser)` and `run(args)`, and what verbs share."""
