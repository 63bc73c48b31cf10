"""`python -m lab`: make, enter and end embedded labs."""

import sys

if __name__ == "__main__":
    try:
        from .commands import main
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("lab", "fixtures", "reports"):
            raise
        sys.stderr.write(
            f"lab: this Python has no package {error.name}: ./run installs what is needed, "
            "and `. .venv/bin/activate` enters its environment\n"
        )
        sys.exit(3)
    sys.exit(main())
