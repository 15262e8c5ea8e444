"""Word lattices: the type, one reader or writer a format, paths, graphs and decoders."""
