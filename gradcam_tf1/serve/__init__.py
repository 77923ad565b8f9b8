"""The live page: one net behind a small web server, with a queue in front of it.

In: a GradCamGraph, and images that a browser or curl sends.
Out: pages, and image records as JSON.
Never: a path from a client, an image that is written to disk under its name, two explanations at once.
"""
