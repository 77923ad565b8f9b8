"""Do two models look at the same place?

In: two open nets, images, tolerances.
Out: a Comparison, and a folder with its journal, tables and page.
Never: a change to either net; a number for something that could not be compared.
"""
