"""`python -m ifcbase`."""

from ifcbase.cli.main import run

if __name__ == "__main__":
    run()
