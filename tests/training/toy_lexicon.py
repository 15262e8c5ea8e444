"""How the words of the toy lists sound, with a homophone for most of them, and a word one phone apart for others."""

from lorescore.perturb import HomophoneLexicon

LEXICON = HomophoneLexicon.from_entries(
    (word, phones.split())
    for word, phones in (
        ("sea", "S IY"),
        ("see", "S IY"),
        ("rain", "R EY N"),
        ("reign", "R EY N"),
        ("plain", "P L EY N"),
        ("plane", "P L EY N"),
        ("mat", "M AE T"),
        ("matte", "M AE T"),
        ("sat", "S AE T"),
        ("cat", "K AE T"),
        ("the", "DH AH"),
        ("home", "HH OW M"),
        ("door", "D AO R"),
    )
)
