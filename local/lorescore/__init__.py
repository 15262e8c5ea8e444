"""Second-pass rescoring of speech-recognition hypotheses with LoRA-adapted language models, and its robustness."""

__version__ = "0.1.0"
