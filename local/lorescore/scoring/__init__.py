"""PLM scores of hypotheses: the text put to the PLM, the scorers `clm`, `cls` and `pll`, and the rescorer."""
