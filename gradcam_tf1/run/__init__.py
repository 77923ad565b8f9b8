"""The parts of a run over many images: listing, reading, explaining, writing, the journal."""
