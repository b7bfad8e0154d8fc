"""Command line: ``ecgllm``."""


def main() -> None:
    """Run the command line."""
    from ecg_llm.cli.app import app

    app(prog_name="ecgllm")
