"""From inputs and a question to maps: sessions, the ops added to a net, its runs, and what is made of the numbers.

In: a loaded model, images or arrays, targets, methods, layers.
Out: an Explanation of raw maps, scores and statuses.
Never: writing files, touching the user's graph or session, adding ops outside a lock.
"""
