# SPDX-License-Identifier: Apache-2.0
"""Exceptions of the library. Each also derives from the built-in one that a user would catch."""


class Error(Exception):
    """Base of every error that WattWise raises."""


class InvalidArgumentError(Error, ValueError):
    """The request cannot work as given."""


class NotFoundError(Error, FileNotFoundError):
    """Something that was named does not exist."""


class UnsupportedError(Error, NotImplementedError):
    """Valid, but not supported here."""


class CorruptError(Error, ValueError):
    """A file is damaged or not what it claims to be."""


class IoError(Error, OSError):
    """The system refused to read or write."""


class UnavailableError(Error, RuntimeError):
    """A needed part is missing or busy."""


class ExhaustedError(Error, RuntimeError):
    """Memory, disk or time ran out, or the call was cancelled."""


class InternalError(Error, RuntimeError):
    """WattWise broke its own promise; please report it."""
