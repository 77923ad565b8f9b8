"""Explain more images than one machine can, on a cluster of Apache Spark.

In: a DataFrame of paths and file contents, a model, and what `visualize_imgs` takes.
Out: a DataFrame with a row for each map, with the numbers, the drawn images and the raw map; Parquet files.
Never: a job that fails because of an image, a second session in a Python worker, a path that an executor opens.
"""
