"""Work on GraphDef messages: telling what a file is, folding variables, repairs before import."""
