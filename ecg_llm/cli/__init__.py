"""Command line: ``ecgllm``."""


def main() -> None:
    """Run the command line."""
    try:
        from ecg_llm.cli.app import app
        from ecg_llm.cli.errors import write_in_any_encoding

        write_in_any_encoding()
        app(prog_name="ecgllm")
    except KeyboardInterrupt:  # before there was a command that could say so
        import signal
        import sys

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stderr.write("ecgllm: stopped\n")
        sys.exit(130)
