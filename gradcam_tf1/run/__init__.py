"""The parts of a run over many pictures: listing, reading, explaining, writing, the journal."""
