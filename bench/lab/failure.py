"""An operating failure: something that the person at the keyboard should read and act upon."""


class Failure(Exception):
    pass
