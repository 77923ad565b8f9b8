"""The report: a folder of pages, or one file, that shows what a run explained.

In: the folder of a run, finished or running.
Out: HTML, scripts, styles, previews and numbers inside that folder.
Never: a network, a server, or markup made of names and labels.
"""
