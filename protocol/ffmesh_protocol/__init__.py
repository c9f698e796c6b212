"""The wire of ffmesh, for programs; protocol/README.md is the same for people.

Everything here is a value or a pure function, except `bus`, which carries packets to a broker and back.
"""

VERSION = "0.1.0"
"""Of the distribution. It travels in adverts and statuses for people; what a peer can do is said by `features`."""
