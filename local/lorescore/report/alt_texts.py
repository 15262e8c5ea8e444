"""What a reader who cannot see a figure is told: what it shows how, and where its numbers are."""

# By the beginning of the file's name; of several that fit the longest.
SHOWN = {
    "wer": "Points with intervals, a line a system, a panel a set. The numbers are in table 1.",
    "parameters": "Points with intervals over the trainable parameters, one a strategy; numbers in the table above.",
    "mixed_ranks": "Lines over the rank, one a rescorer and set. The numbers are in ranks.json of stage 6.",
    "nprr": "Lines over the rate with confidence bands, a panel a set, perturbation and kind; numbers in table 2.",
    "nprr_map": "Heat map, a line a model, a column a rate, a panel a perturbation and kind; numbers in table 2.",
    "training": "Lines over the optimizer steps, one a rescorer. First and best value are in table 3.",
    "ranks": "Heat map, a line a module, a column a transformer layer. The numbers are in the rescorer's ranks.yaml.",
    "rank_steps": "Heat map of the transformer layers' ranks over the optimizer steps, below it lines of the modules' "
    "ranks. The numbers are in the rescorer's rank_history.yaml.",
}


def alt_text(name: str, caption: str) -> str:
    """The alternative text of a figure.

    Args:
        name: Of its file.
        caption: What it shows.
    """
    kinds = [kind for kind in SHOWN if name.startswith(kind)]
    return f"{caption}. {SHOWN[max(kinds, key=len)]}" if kinds else caption
