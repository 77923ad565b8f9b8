"""Texts: from words to token ids, and from maps to coloured words.

The engine explains the embeddings of token ids; this package reads vocabularies and files of texts, and writes pages.
"""

from __future__ import annotations

from gradcam_tf1.texts.vocabulary import Vocabulary as Vocabulary
from gradcam_tf1.texts.word_weights import word_weights as word_weights
