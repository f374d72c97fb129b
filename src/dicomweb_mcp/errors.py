"""The one root of everything that can go wrong and that a person or a model can act on."""


class Problem(Exception):
    """What was wrong, what is allowed, what to do next: ``str(problem)`` is the whole message, free of secrets.

    The rooms derive their own kinds from it: ``dicom.rules.NotSearchable``, ``archives.base.ArchiveError`` and others.
    """


class BadArgument(Problem):
    """An argument that cannot be understood or is out of its range."""
