"""`python -m zhongshu` is the command line."""

from zhongshu.config.cli import main

if __name__ == "__main__":
    main()
