"""``python -m ecg_llm.cli``."""

from ecg_llm.cli import main

if __name__ == "__main__":
    main()
