"""What can go wrong between an owner and its warden.

WardenError
├── NotStarted     this one program did not start; the warden is well
└── WardenDied     the warden is gone, and every program with it
"""


class WardenError(Exception):
    pass


class NotStarted(WardenError):  # errors say what happened
    def __init__(self, errno: int, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = errno
        self.sentence = sentence


class WardenDied(WardenError):  # errors say what happened
    def __init__(self, sentence: str = "the warden died, and every program with it") -> None:
        super().__init__(sentence)
        self.sentence = sentence
