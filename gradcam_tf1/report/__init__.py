"""The report of a run: a folder or one file that shows every image in a browser, without a server.

In: an output folder, and while a run goes on its explanations.
Out: OUT/report, or one HTML file.
Never: a change to what the run wrote.
"""
