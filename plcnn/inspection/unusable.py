"""What the source of the pictures has to say against training on them: classes without pictures, names, rows."""

from plcnn.inspection.finding import Finding
from plcnn.inspection.subject import Subject


def unusable(subject: Subject) -> list[Finding]:
    """The source's complaints, for which `fit` refuses the pictures."""
    labels = {name: label for label, name in enumerate(subject.classes)}
    return [
        Finding(one.kind, "error", one.count, one.sentence, one.advice, classes=[labels[name] for name in one.classes])
        for one in subject.complaints
    ]
