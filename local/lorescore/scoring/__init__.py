"""PLM scores of hypotheses: the text put to the PLM, the scorers `clm` and `cls`, the rescorer that a user loads."""
