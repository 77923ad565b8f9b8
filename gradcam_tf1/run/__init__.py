"""Runs over many images: list, read, explain in batches, write, and record results so that a run can be resumed.

In: a net, image sources, an output folder and a RunRequest.
Out: written files, manifest.jsonl, run.json and Results.
Never: writing outside the output folder, stopping at one bad image unless requested, keeping maps in memory.
"""
