"""Package definition; the environment markers pick the TensorFlow that the running Python can have."""

from pathlib import Path

from setuptools import find_packages, setup

TF1 = "python_version < '3.8'"
TF2 = "python_version >= '3.9'"

# pyspark 3.4 is the last one for Python 3.7, and the 3.x ones do not know pandas 3. Java 17 runs all of them.
SPARK = [
    *(f"pyspark>=3.4.4,<3.5; {TF1}", f"pandas>=1.3; {TF1}", f"pyarrow>=11,<13; {TF1}"),
    *(f"pyspark>=4; {TF2}", f"pandas>=2.2; {TF2}", f"pyarrow>=18; {TF2}"),
]

# onnx2tf names one release of TensorFlow, 2.19, which is there for Python 3.10 to 3.12
ONNX = [
    "onnx2tf>=1.29.24,<1.30; python_version >= '3.10' and python_version < '3.13'",
    *(f"{name}; {TF2}" for name in ("tf2onnx>=1.16", "onnx>=1.16", "onnxruntime>=1.17")),
]

setup(
    name="gradcam_tf1",
    version="0.1.0",
    description="Grad-CAM and its relatives for any TensorFlow 1 graph: folder in, folder out",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.7,!=3.8.*,<3.14",
    # nets/ installs inside the package: TF-Slim also has a top-level package called nets
    packages=find_packages(include=["gradcam_tf1*"])
    + [f"gradcam_tf1.{name}" for name in find_packages(include=["nets*"])],
    package_dir={"gradcam_tf1": "gradcam_tf1", "gradcam_tf1.nets": "nets"},
    package_data={
        "gradcam_tf1": ["py.typed"],
        "gradcam_tf1.graphdef": ["ops_of_1_15.txt"],
        "gradcam_tf1.report": ["static/*.js", "static/*.css", "templates/*.html"],
        "gradcam_tf1.serve": ["static/*"],
        "gradcam_tf1.nets": ["demo/*.pb", "demo/*.json", "demo/*.npz", "demo/scenes/*.png"],
    },
    install_requires=[
        f"tensorflow>=1.15,<1.16; {TF1}",
        f"protobuf<3.21; {TF1}",
        f"h5py<3; {TF1}",
        f"tensorflow>=2.15; {TF2}",
        # each tf-keras release asks for its own TensorFlow release, so the two always match
        f"tf-keras>=2.15; {TF2}",
        f"h5py>=3; {TF2}",
        "numpy",
        "opencv-python-headless",
        "matplotlib>=3.5",
        "scikit-image>=0.19",
        "scikit-learn>=1.0",
        "scipy",
        "Pillow",
        "click>=8",
        "tqdm",
        # run files, the report, the live page
        "PyYAML>=5.4",
        "jinja2>=3",
        "bottle>=0.12.23",
        "waitress>=2.1.2",
        # TensorFlow 2.21 does not bring it any more
        f"tensorboard; {TF2}",
    ],
    extras_require={
        "medical": ["pydicom>=2.2", "nibabel>=4"],
        "dataframe": ["pandas>=1.3"],
        "spark": SPARK,
        "isal": ["isal>=1.1"],  # PNG files are written in a third of the time
        "onnx": ONNX,
        "torch": [*ONNX, f"torch>=2.5; {TF2}", f"onnxscript>=0.5; {TF2}"],
        "test": [
            *("pytest", "pytest-xdist", "saliency", "hypothesis", "tifffile", "pydicom>=2.2", "nibabel>=4"),
            *("pandas>=1.3", "isal>=1.1", "selenium>=4.11", "jupytext", "nbmake", "ipykernel", "ipywidgets", "psutil"),
        ],
        # the site of docs/: Python 3.11 or later
        "docs": [f"{name}; python_version >= '3.11'" for name in ("sphinx", "myst-parser", "numpydoc", "furo")],
        "lint": ["ruff", "mypy"],
    },
    entry_points={"console_scripts": ["gradcam-tf1 = gradcam_tf1.cli:main"]},
)
