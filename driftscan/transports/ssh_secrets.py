"""Passphrases and passwords: from the environment, else asked of a person, once per run."""

import os
import threading
from collections.abc import Callable

Prompt = Callable[[str], str]
"""Shows a question on the terminal and returns the answer, which is not echoed."""

KEY_PASSPHRASE = "DRIFTSCAN_KEY_PASSPHRASE"
SSH_PASSWORD = "DRIFTSCAN_SSH_PASSWORD"
SUDO_PASSWORD = "DRIFTSCAN_SUDO_PASSWORD"


class Secrets:
    """The answers of one run. Safe to use from many threads: one question at a time is asked."""

    def __init__(self) -> None:
        """Nothing asked yet."""
        self._lock = threading.Lock()
        self._answers: dict[str, str] = {}

    def get(self, variable: str, question: str, prompt: Prompt | None) -> str:
        """The environment's value, else the answer to the question (asked once), else empty. An empty answer is an
        answer: the question is not asked again."""
        if value := os.environ.get(variable, ""):
            return value
        if prompt is None:
            return self._answers.get(question, "")
        with self._lock:
            if question not in self._answers:
                try:
                    self._answers[question] = prompt(question)
                except EOFError:
                    self._answers[question] = ""
            return self._answers[question]

    def ask_again(self, question: str, wrong: str, prompt: Prompt | None) -> str:
        """Another answer after a wrong one; empty where nobody can be asked. Where another thread has asked in the
        meantime, its answer."""
        if prompt is None:
            return ""
        with self._lock:
            if self._answers.get(question, wrong) == wrong:
                try:
                    self._answers[question] = prompt(question)
                except EOFError:
                    self._answers[question] = ""
            return self._answers[question]
