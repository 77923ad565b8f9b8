"""What fits a model, and what works on it: the preprocessings of images, its methods, its numbers.

In: a GradCamGraph or the path of a model, and images.
Out: records of findings; the command line prints them.
Never: a change to the net, a guess that is used without saying so.
"""
