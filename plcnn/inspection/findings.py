"""All that is looked for, the worst first."""

from plcnn.inspection.balance import balance
from plcnn.inspection.duplicates import duplicates
from plcnn.inspection.finding import SEVERITIES, Finding
from plcnn.inspection.kinds import kinds
from plcnn.inspection.sizes import sizes
from plcnn.inspection.subject import Subject
from plcnn.inspection.two_classes import two_classes
from plcnn.inspection.unreadable import unreadable
from plcnn.inspection.unusable import unusable

LOOKED_FOR = (unusable, unreadable, two_classes, duplicates, balance, sizes, kinds)
"""The functions that look, each for what its file says, in the order in which findings of one severity are shown."""


def look(subject: Subject) -> list[Finding]:
    """Look for everything: errors first, then warnings, then notes."""
    found = [finding for looks_for in LOOKED_FOR for finding in looks_for(subject)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
