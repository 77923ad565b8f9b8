"""A run over many images: listing, reading, explaining in batches, writing, and the journal that makes it resumable.

In: a net, image sources, an output folder and a RunRequest.
Out: written files, manifest.jsonl, run.json and Results.
Never: writing outside the output folder, ending because of one bad image, keeping maps in memory.
"""
