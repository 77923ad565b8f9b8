"""`python -m gradcam_tf1` is the command line."""

from gradcam_tf1.cli import main

if __name__ == "__main__":
    main()
