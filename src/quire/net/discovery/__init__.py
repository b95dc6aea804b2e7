"""Who has what: the Announcer says what this node holds, the Finder asks others."""

from quire.net.discovery.announcer import Announcement, Announcer, AnnounceStatus
from quire.net.discovery.finder import Finder

__all__ = ["AnnounceStatus", "Announcement", "Announcer", "Finder"]
